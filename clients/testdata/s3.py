# boto3 with the keys that it gets for a token of Entra (AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE), in a bucket of
# which it may use what lies under app/. $ROOT_ID and $ROOT_SECRET are the bucket's owner, $OTHER_ID and
# $OTHER_SECRET the root of another account. Prints one JSON object.
import io
import json
import os
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET

import boto3
from boto3.s3.transfer import TransferConfig
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

env, out = os.environ, {}
B = env['BUCKET']
s3 = boto3.client('s3')
root, other = (boto3.client('s3', aws_access_key_id=env[w + '_ID'], aws_secret_access_key=env[w + '_SECRET'], aws_session_token='') for w in ('ROOT', 'OTHER'))
anonymous = boto3.client('s3', config=Config(signature_version=UNSIGNED))


def tried(name, f):
    try:
        out[name] = f()
    except ClientError as e:
        out[name] = [type(e).__name__, e.response['Error']['Code'], e.response['Error']['Message'], e.response['ResponseMetadata']['HTTPStatusCode']]


def read(client, key, **more):
    return client.get_object(Bucket=B, Key=key, **more)['Body'].read().decode()


def opened(url, method='GET', data=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, method=method)) as r:
            return [r.status, r.read().decode()]
    except urllib.error.HTTPError as e:
        tree = ET.fromstring(e.read())
        return [e.code, tree.findtext('Code'), tree.findtext('Message')]


out['method'] = boto3.Session().get_credentials().method
root.put_object(Bucket=B, Key='other/secret', Body=b'secret')
out['put'] = s3.put_object(Bucket=B, Key='app/a b+ü.txt', Body='grüezi'.encode(), ContentType='text/plain; charset=utf-8', Metadata={'who': 'entra'})['ETag']
got = s3.get_object(Bucket=B, Key='app/a b+ü.txt')
out['get'] = [got['Body'].read().decode(), got['ContentType'], got['Metadata'], got['ETag'] == out['put']]
out['range'] = read(s3, 'app/a b+ü.txt', Range='bytes=0-1')
big = b'0123456789abcdef' * (6 << 16)  # more than one part of 5 MiB
s3.upload_fileobj(io.BytesIO(big), B, 'app/big', Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20))
back = io.BytesIO()
s3.download_fileobj(B, 'app/big', back)
out['multipart'] = [back.getvalue() == big, s3.head_object(Bucket=B, Key='app/big')['ETag'].endswith('-2"')]
s3.copy_object(Bucket=B, Key='app/copy', CopySource={'Bucket': B, 'Key': 'app/a b+ü.txt'})
out['copy'] = read(s3, 'app/copy')
pages = s3.get_paginator('list_objects_v2').paginate(Bucket=B, Prefix='app/', PaginationConfig={'PageSize': 2})
out['pages'] = [[o['Key'] for o in p['Contents']] for p in pages]

# Refusals, each with S3's own code.
tried('another prefix', lambda: s3.list_objects_v2(Bucket=B, Prefix='other/'))
tried('another object', lambda: read(s3, 'other/secret'))
tried('HEAD has no reason', lambda: s3.head_object(Bucket=B, Key='other/secret'))
tried('copied from elsewhere', lambda: s3.copy_object(Bucket=B, Key='app/stolen', CopySource={'Bucket': B, 'Key': 'other/secret'}))
tried('no object', lambda: read(root, 'app/none'))
tried('no bucket', lambda: root.get_object(Bucket=B + '-none', Key='x'))
tried('delete', lambda: s3.delete_object(Bucket=B, Key='app/copy'))
several = s3.delete_objects(Bucket=B, Delete={'Objects': [{'Key': 'app/copy'}, {'Key': 'other/secret'}]})
out['delete several'] = sorted([e['Key'], e['Code']] for e in several['Errors'])
tried('a bucket', lambda: s3.create_bucket(Bucket=B + '-x'))
tried('the same bucket by another', lambda: other.create_bucket(Bucket=B))
tried('a bucket that is not empty', lambda: root.delete_bucket(Bucket=B))
tried('list buckets', lambda: s3.list_buckets())

# Presigned: the URL does what its maker may.
out['presigned get'] = opened(s3.generate_presigned_url('get_object', Params={'Bucket': B, 'Key': 'app/copy'}, ExpiresIn=60))
out['presigned put'] = opened(s3.generate_presigned_url('put_object', Params={'Bucket': B, 'Key': 'app/put'}, ExpiresIn=60), 'PUT', b'by URL')
out['was put'] = read(s3, 'app/put')
out['presigned denied'] = opened(s3.generate_presigned_url('get_object', Params={'Bucket': B, 'Key': 'other/secret'}, ExpiresIn=60))
out['presigned and changed'] = opened(s3.generate_presigned_url('get_object', Params={'Bucket': B, 'Key': 'app/copy'}, ExpiresIn=60).replace('app/copy', 'app/put'))[:2]

# The bucket's policy: for another account, for everybody, and against the role.
tried('another account', lambda: read(other, 'app/copy'))
tried('nobody', lambda: read(anonymous, 'app/copy'))
objects = f'arn:aws:s3:::{B}/'
root.put_bucket_policy(Bucket=B, Policy=json.dumps({'Version': '2012-10-17', 'Statement': [
    {'Effect': 'Allow', 'Principal': {'AWS': env['OTHER_ACCOUNT']}, 'Action': 's3:GetObject', 'Resource': objects + 'app/*'},
    {'Effect': 'Allow', 'Principal': '*', 'Action': 's3:GetObject', 'Resource': objects + 'public/*'},
    {'Effect': 'Deny', 'Principal': '*', 'Action': 's3:PutObject', 'Resource': objects + 'app/closed'}]}))
root.put_object(Bucket=B, Key='public/p', Body=b'public')
tried('another account by the policy', lambda: read(other, 'app/copy'))
tried('everybody by the policy', lambda: read(anonymous, 'public/p'))
tried('denied by the policy', lambda: s3.put_object(Bucket=B, Key='app/closed', Body=b''))
out['policy status'] = root.get_bucket_policy_status(Bucket=B)['PolicyStatus']['IsPublic']
tried('no policy', lambda: root.put_bucket_policy(Bucket=B, Policy='{'))

for page in root.get_paginator('list_objects_v2').paginate(Bucket=B):
    root.delete_objects(Bucket=B, Delete={'Objects': [{'Key': o['Key']} for o in page['Contents']]})
root.delete_bucket(Bucket=B)
tried('gone', lambda: root.head_bucket(Bucket=B))
print(json.dumps(out))
