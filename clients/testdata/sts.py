# boto3 through STS as a user: sessions with tags, policies and source identities, federated users, presigned
# calls. $ROLE trusts the user and itself, $KEY_ID and $SECRET are the user's. Prints one JSON object.
import json
import os
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET

import boto3
from botocore.exceptions import ClientError

out = {}


def session(c):
    return boto3.Session(aws_access_key_id=c['AccessKeyId'], aws_secret_access_key=c['SecretAccessKey'], aws_session_token=c.get('SessionToken'))


def tried(name, f):
    try:
        f()
        out[name] = True
    except ClientError as e:
        out[name] = [type(e).__name__, e.response['Error']['Code'], e.response['Error']['Message']]


user = session({'AccessKeyId': os.environ['KEY_ID'], 'SecretAccessKey': os.environ['SECRET']})
sts, role = user.client('sts'), os.environ['ROLE']

a = sts.assume_role(RoleArn=role, RoleSessionName='tagged', DurationSeconds=900, SourceIdentity='ann', TransitiveTagKeys=['Team'],
                    Tags=[{'Key': 'Team', 'Value': 'red'}, {'Key': 'Cost', 'Value': '7'}])
out['assumed'] = [a['AssumedRoleUser']['Arn'], a['SourceIdentity'], a['Credentials']['AccessKeyId'][:4], a['AssumedRoleUser']['AssumedRoleId'][:4], a['PackedPolicySize'] > 0]
tagged = session(a['Credentials'])
out['tagged'] = tagged.client('sts').get_caller_identity()['Arn']
tried('by the tag', lambda: tagged.client('iam').list_roles(MaxItems=1))
tried('without the tag', lambda: session(sts.assume_role(RoleArn=role, RoleSessionName='bare')['Credentials']).client('iam').list_roles(MaxItems=1))
b = tagged.client('sts').assume_role(RoleArn=role, RoleSessionName='chained')
out['chained source'] = b['SourceIdentity']
tried('by the transitive tag', lambda: session(b['Credentials']).client('iam').list_roles(MaxItems=1))
tried('another source identity', lambda: tagged.client('sts').assume_role(RoleArn=role, RoleSessionName='cc', SourceIdentity='bob'))
tried('a transitive tag again', lambda: tagged.client('sts').assume_role(RoleArn=role, RoleSessionName='cc', Tags=[{'Key': 'team', 'Value': 'blue'}]))
tried('a transitive tag that is none', lambda: sts.assume_role(RoleArn=role, RoleSessionName='cc', TransitiveTagKeys=['Team']))
tried('a tag twice', lambda: sts.assume_role(RoleArn=role, RoleSessionName='cc', Tags=[{'Key': 'k', 'Value': '1'}, {'Key': 'K', 'Value': '2'}]))
tried('too long', lambda: sts.assume_role(RoleArn=role, RoleSessionName='cc', DurationSeconds=7200))
tried('a session name', lambda: sts.assume_role(RoleArn=role, RoleSessionName='a:b'))
tried('no ARN', lambda: sts.assume_role(RoleArn='not-an-arn-but-long-enough', RoleSessionName='cc'))
tried('no role', lambda: sts.assume_role(RoleArn=role + '-none', RoleSessionName='cc'))
tried('no JSON', lambda: sts.assume_role(RoleArn=role, RoleSessionName='cc', Policy='{'))
nothing = json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 's3:*', 'Resource': '*'}]})
small = session(sts.assume_role(RoleArn=role, RoleSessionName='small', Tags=[{'Key': 'Team', 'Value': 'red'}], Policy=nothing)['Credentials'])
tried('within a session policy', lambda: small.client('iam').list_roles(MaxItems=1))


def opened(url):
    '''The identity of whoever made a presigned URL, as it is told to whoever opens it.'''
    try:
        with urllib.request.urlopen(url) as r:
            tree = ET.fromstring(r.read())
            return [r.status, r.headers['Content-Type'], tree.findtext('.//{*}Arn')]
    except urllib.error.HTTPError as e:
        tree = ET.fromstring(e.read())
        return [e.code, tree.findtext('.//{*}Code'), tree.findtext('.//{*}Message')]


url = tagged.client('sts').generate_presigned_url('get_caller_identity', Params={}, ExpiresIn=60, HttpMethod='GET')
out['presigned'] = opened(url)
out['presigned and changed'] = opened(url.replace('X-Amz-Expires=60', 'X-Amz-Expires=61'))[:2]

# Federated users.
f = sts.get_federation_token(Name='guest', Policy=json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 'cognito-identity:ListIdentityPools', 'Resource': '*'}]}))
out['federated'] = [f['FederatedUser']['Arn'], f['FederatedUser']['FederatedUserId']]
guest = session(f['Credentials'])
out['guest'] = guest.client('sts').get_caller_identity()['Arn']
tried('what both policies allow', lambda: guest.client('cognito-identity').list_identity_pools(MaxResults=1))
tried('what the session policy does not', lambda: guest.client('cognito-identity').describe_identity_pool(IdentityPoolId='us-east-1:00000000-0000-0000-0000-000000000000'))
tried('IAM by a federated user', lambda: guest.client('iam').list_roles(MaxItems=1))
tried('STS by a federated user', lambda: guest.client('sts').get_session_token())

out['key info'] = [sts.get_access_key_info(AccessKeyId=i)['Account'] for i in (os.environ['KEY_ID'], a['Credentials']['AccessKeyId'], os.environ['OTHER_ID'])]
tried('no message', lambda: sts.decode_authorization_message(EncodedMessage='garbage'))
print(json.dumps(out))
