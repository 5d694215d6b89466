# boto3 through IAM: users, groups, roles, policies with versions, tags, boundaries, paginators, waiters, and the
# classes of its errors. Names begin with $NAME. Prints one JSON object.
import json
import os

import boto3
from botocore.exceptions import ClientError, WaiterError

N = os.environ['NAME']
ACCOUNT = '123456789012'
PATH = f'/{N}/'
iam = boto3.client('iam')
out = {'errors': {}}


def document(effect, action, resource='*', **more):
    return json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': effect, 'Action': action, 'Resource': resource, **more}]})


def refused(name, cls, f):
    '''Notes the code, message and status of a refusal that must be of an exception's class.'''
    try:
        f()
    except ClientError as e:
        error, meta = e.response['Error'], e.response['ResponseMetadata']
        out['errors'][name] = [type(e).__name__, error['Code'], error['Message'], meta['HTTPStatusCode'], error.get('Type')]
        assert isinstance(e, cls), f'{name}: {type(e)}'
        assert meta['RequestId'], name
    else:
        out['errors'][name] = None


def plain(answer):
    return {k: v for k, v in answer.items() if k != 'ResponseMetadata'}


X = iam.exceptions
TRUST = json.dumps({'Version': '2012-10-17', 'Statement': [
    {'Effect': 'Allow', 'Principal': {'AWS': f'arn:aws:iam::{ACCOUNT}:root'}, 'Action': 'sts:AssumeRole'}]})

# Roles: pages and waiters.
for i in range(7):
    iam.create_role(RoleName=f'{N}-{i}', Path=PATH, AssumeRolePolicyDocument=TRUST, Description=f'number {i}', MaxSessionDuration=7200,
                    Tags=[{'Key': 'Team', 'Value': 'red'}])
pages = list(iam.get_paginator('list_roles').paginate(PathPrefix=PATH, PaginationConfig={'PageSize': 3}))
out['pages'] = [[len(p['Roles']), p['IsTruncated'], 'Marker' in p] for p in pages]
out['listed'] = [r['RoleName'][len(N) + 1:] for p in pages for r in p['Roles']]
first = pages[0]['Roles'][0]
out['in a list'] = [first['Description'], first['MaxSessionDuration'], first['AssumeRolePolicyDocument'] == json.loads(TRUST), 'Tags' in first]
found = iam.get_paginator('list_roles').paginate(PathPrefix=PATH, PaginationConfig={'MaxItems': 4, 'PageSize': 3}).build_full_result()
out['max items'] = [len(found['Roles']), 'NextToken' in found]
iam.get_waiter('role_exists').wait(RoleName=f'{N}-0', WaiterConfig={'Delay': 1, 'MaxAttempts': 1})
try:
    iam.get_waiter('user_exists').wait(UserName=f'{N}-nobody', WaiterConfig={'Delay': 0, 'MaxAttempts': 2})
except WaiterError as e:
    out['waiter'] = str(e)

# Tags: those of roles and users match in any case.
iam.tag_role(RoleName=f'{N}-0', Tags=[{'Key': 'team', 'Value': 'blue'}, {'Key': 'cost', 'Value': ''}])
out['tags'] = sorted([t['Key'], t['Value']] for t in iam.list_role_tags(RoleName=f'{N}-0')['Tags'])
iam.untag_role(RoleName=f'{N}-0', TagKeys=['TEAM', 'none'])
out['untagged'] = iam.get_role(RoleName=f'{N}-0')['Role']['Tags']
refused('tag prefix', X.InvalidInputException, lambda: iam.tag_role(RoleName=f'{N}-0', Tags=[{'Key': 'AWS:x', 'Value': '1'}]))

# Inline policies come back as they were written.
odd = '{ "Version":"2012-10-17",\n "Statement":[{"Sid":"ab","Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::b/ü+/*"}] }'
iam.put_role_policy(RoleName=f'{N}-0', PolicyName='Inline', PolicyDocument=odd)
out['inline'] = iam.get_role_policy(RoleName=f'{N}-0', PolicyName='inline')['PolicyDocument'] == json.loads(odd)
out['inline names'] = iam.list_role_policies(RoleName=f'{N}-0')['PolicyNames']

# Managed policies: versions.
policy = plain(iam.create_policy(PolicyName=f'{N}-p', Path=PATH, PolicyDocument=document('Allow', 's3:ListAllMyBuckets'), Description='of a test',
                                 Tags=[{'Key': 'k', 'Value': 'v'}, {'Key': 'K', 'Value': 'V'}]))['Policy']
arn = policy['Arn']
out['policy'] = {k: policy[k] for k in ('Arn', 'DefaultVersionId', 'AttachmentCount', 'IsAttachable', 'Path')}
for i in range(2, 6):
    v = iam.create_policy_version(PolicyArn=arn, PolicyDocument=document('Allow', f's3:Get{"x" * i}'), SetAsDefault=i == 3)['PolicyVersion']
    out[f'v{i}'] = [v['VersionId'], v['IsDefaultVersion']]
refused('six versions', X.LimitExceededException, lambda: iam.create_policy_version(PolicyArn=arn, PolicyDocument=document('Allow', 's3:Get*')))
refused('default version', X.DeleteConflictException, lambda: iam.delete_policy_version(PolicyArn=arn, VersionId='v3'))
refused('no version', X.NoSuchEntityException, lambda: iam.get_policy_version(PolicyArn=arn, VersionId='v9'))
out['versions'] = [v['VersionId'] for p in iam.get_paginator('list_policy_versions').paginate(PolicyArn=arn, PaginationConfig={'PageSize': 2}) for v in p['Versions']]
iam.set_default_policy_version(PolicyArn=arn, VersionId='v1')
out['document'] = iam.get_policy_version(PolicyArn=arn, VersionId='v1')['PolicyVersion']['Document']
iam.attach_role_policy(RoleName=f'{N}-0', PolicyArn=arn)
iam.attach_role_policy(RoleName=f'{N}-0', PolicyArn=arn)
entities = iam.list_entities_for_policy(PolicyArn=arn)
out['entities'] = [[r['RoleName'] for r in entities['PolicyRoles']], entities['PolicyUsers'], entities['PolicyGroups']]
got = iam.get_policy(PolicyArn=arn)['Policy']
out['attached'] = [got['AttachmentCount'], got['Description'], len(got['Tags'])]
refused('attached policy', X.DeleteConflictException, lambda: iam.delete_policy(PolicyArn=arn))

# The words of refusals.
refused('no role', X.NoSuchEntityException, lambda: iam.get_role(RoleName=f'{N}-none'))
refused('no user', X.NoSuchEntityException, lambda: iam.get_user(UserName=f'{N}-none'))
refused('role twice', X.EntityAlreadyExistsException, lambda: iam.create_role(RoleName=f'{N}-0'.upper(), AssumeRolePolicyDocument=TRUST))
refused('policy twice', X.EntityAlreadyExistsException, lambda: iam.create_policy(PolicyName=f'{N}-p', PolicyDocument=document('Allow', 's3:*')))
refused('no JSON', X.MalformedPolicyDocumentException, lambda: iam.create_policy(PolicyName=f'{N}-q', PolicyDocument='{'))
refused('no vendor', X.MalformedPolicyDocumentException, lambda: iam.put_role_policy(RoleName=f'{N}-0', PolicyName='q', PolicyDocument=document('Allow', 'GetObject')))
refused('principal', X.MalformedPolicyDocumentException, lambda: iam.create_policy(PolicyName=f'{N}-q', PolicyDocument=document('Allow', 's3:*', Principal='*')))
refused('no principal', X.MalformedPolicyDocumentException, lambda: iam.update_assume_role_policy(
    RoleName=f'{N}-0', PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'AWS': f'arn:aws:iam::{ACCOUNT}:user/{N}-none'}, 'Action': 'sts:AssumeRole'}]})))
refused('bad ARN', ClientError, lambda: iam.attach_role_policy(RoleName=f'{N}-0', PolicyArn='not-an-arn-but-long-enough'))
refused('no policy', X.NoSuchEntityException, lambda: iam.attach_role_policy(RoleName=f'{N}-0', PolicyArn='arn:aws:iam::aws:policy/NoSuchPolicyAtAll'))
refused('role in use', X.DeleteConflictException, lambda: iam.delete_role(RoleName=f'{N}-0'))
refused('path', ClientError, lambda: iam.create_role(RoleName=f'{N}-x', Path='team', AssumeRolePolicyDocument=TRUST))
for p in ['ReadOnlyAccess', 'AmazonS3ReadOnlyAccess', 'AmazonS3FullAccess', 'IAMReadOnlyAccess', 'AmazonDynamoDBFullAccess', 'AmazonDynamoDBReadOnlyAccess',
          'AmazonCognitoReadOnly', 'AmazonCognitoPowerUser', 'PowerUserAccess']:
    iam.attach_role_policy(RoleName=f'{N}-0', PolicyArn=f'arn:aws:iam::aws:policy/{p}')
refused('eleven policies', X.LimitExceededException, lambda: iam.attach_role_policy(RoleName=f'{N}-0', PolicyArn='arn:aws:iam::aws:policy/AdministratorAccess'))

# Users and groups.
user = iam.create_user(UserName=f'{N}-u', Path=PATH, Tags=[{'Key': 'team', 'Value': 'red'}])['User']
out['user'] = [user['Arn'], user['UserId'][:4], len(user['UserId'])]
group = iam.create_group(GroupName=f'{N}-g', Path=PATH)['Group']
out['group'] = [group['Arn'], group['GroupId'][:4]]
iam.add_user_to_group(GroupName=f'{N}-g', UserName=f'{N}-u')
out['members'] = [u['UserName'] for u in iam.get_group(GroupName=f'{N}-g')['Users']]
out['groups'] = [g['GroupName'] for g in iam.list_groups_for_user(UserName=f'{N}-u')['Groups']]
keys = [iam.create_access_key(UserName=f'{N}-u')['AccessKey'] for _ in range(2)]
refused('three keys', X.LimitExceededException, lambda: iam.create_access_key(UserName=f'{N}-u'))
listed = iam.list_access_keys(UserName=f'{N}-u')['AccessKeyMetadata']
out['keys'] = [sorted(k['AccessKeyId'] for k in listed) == sorted(k['AccessKeyId'] for k in keys), [k['Status'] for k in listed], 'SecretAccessKey' in listed[0]]
refused('user in use', X.DeleteConflictException, lambda: iam.delete_user(UserName=f'{N}-u'))
refused('group in use', X.DeleteConflictException, lambda: iam.delete_group(GroupName=f'{N}-g'))
iam.update_user(UserName=f'{N}-u', NewUserName=f'{N}-v')
out['renamed'] = [iam.get_user(UserName=f'{N}-v')['User']['UserId'] == user['UserId'],
                  [u['UserName'] for u in iam.get_group(GroupName=f'{N}-g')['Users']]]

# Everything goes, in the order that IAM asks for.
for k in keys:
    iam.delete_access_key(UserName=f'{N}-v', AccessKeyId=k['AccessKeyId'])
iam.remove_user_from_group(GroupName=f'{N}-g', UserName=f'{N}-v')
iam.delete_user(UserName=f'{N}-v')
iam.delete_group(GroupName=f'{N}-g')
for p in iam.list_attached_role_policies(RoleName=f'{N}-0')['AttachedPolicies']:
    iam.detach_role_policy(RoleName=f'{N}-0', PolicyArn=p['PolicyArn'])
iam.delete_role_policy(RoleName=f'{N}-0', PolicyName='Inline')
for i in range(7):
    iam.delete_role(RoleName=f'{N}-{i}')
for v in ['v2', 'v3', 'v4', 'v5']:
    iam.delete_policy_version(PolicyArn=arn, VersionId=v)
iam.delete_policy(PolicyArn=arn)
out['left'] = len(iam.list_roles(PathPrefix=PATH)['Roles']) + len(iam.list_users(PathPrefix=PATH)['Users']) + len(iam.list_policies(Scope='Local', PathPrefix=PATH)['Policies'])
print(json.dumps(out))
