# boto3 with the keys of users: what their policies, groups, boundaries and second factors let them do. Names
# begin with $NAME; $OTHER_ID and $OTHER_SECRET are the root of another account. Prints one JSON object.
import base64
import hashlib
import hmac
import json
import os
import struct
import time

import boto3
from botocore.exceptions import ClientError

N = os.environ['NAME']
ACCOUNT = 'arn:aws:iam::123456789012'
root = boto3.client('iam')
out = {}


def document(effect, action, resource='*', **more):
    return json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': effect, 'Action': action, 'Resource': resource, **more}]})


def tried(name, f):
    '''Notes what a call came to: True, or the code and message of its refusal.'''
    try:
        f()
        out[name] = True
    except ClientError as e:
        out[name] = [e.response['Error']['Code'], e.response['Error']['Message']]


def session(key):
    return boto3.Session(aws_access_key_id=key['AccessKeyId'], aws_secret_access_key=key['SecretAccessKey'], aws_session_token=key.get('SessionToken'))


user = root.create_user(UserName=N)['User']
key = root.create_access_key(UserName=N)['AccessKey']
me = session(key)
iam = me.client('iam')
out['who'] = me.client('sts').get_caller_identity()['Arn'] == user['Arn']

# Nothing is allowed until a policy says so, and only what it says.
tried('nothing', lambda: iam.get_user())
root.put_user_policy(UserName=N, PolicyName='self', PolicyDocument=document('Allow', ['iam:GetUser', 'iam:ListAccessKeys'], ACCOUNT + ':user/${aws:username}'))
tried('itself', lambda: iam.get_user())
tried('another', lambda: iam.get_user(UserName=N + '-none'))
root.create_group(GroupName=N)
root.put_group_policy(GroupName=N, PolicyName='list', PolicyDocument=document('Allow', 'iam:ListRoles'))
tried('before the group', lambda: iam.list_roles(MaxItems=1))
root.add_user_to_group(GroupName=N, UserName=N)
tried('by the group', lambda: iam.list_roles(MaxItems=1))
root.put_user_permissions_boundary(UserName=N, PermissionsBoundary='arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess')
tried('outside of the boundary', lambda: iam.list_roles(MaxItems=1))
out['boundary'] = root.get_user(UserName=N)['User']['PermissionsBoundary']
root.delete_user_permissions_boundary(UserName=N)
root.put_user_policy(UserName=N, PolicyName='never', PolicyDocument=document('Deny', 'iam:ListRoles'))
tried('denied', lambda: iam.list_roles(MaxItems=1))

# The simulator says the same, with the statement.
simulated = root.simulate_principal_policy(PolicySourceArn=user['Arn'], ActionNames=['iam:GetUser', 'iam:ListRoles', 's3:GetObject'], ResourceArns=[user['Arn']])
out['simulated'] = [[r['EvalActionName'], r['EvalDecision'], [m['SourcePolicyId'] for m in r['MatchedStatements']]] for r in simulated['EvaluationResults']]
custom = root.simulate_custom_policy(PolicyInputList=[document('Allow', 's3:GetObject', 'arn:aws:s3:::b/${aws:username}/*', Condition={'StringEquals': {'aws:RequestedRegion': 'eu-west-1'}})],
                                     ActionNames=['s3:GetObject'], ResourceArns=['arn:aws:s3:::b/x/1'], ContextEntries=[{'ContextKeyName': 'aws:username', 'ContextKeyValues': ['x'], 'ContextKeyType': 'string'}])
out['custom'] = [custom['EvaluationResults'][0]['EvalDecision'], custom['EvaluationResults'][0]['MissingContextValues']]

# An inactive key is no key, and neither is a deleted one.
root.update_access_key(UserName=N, AccessKeyId=key['AccessKeyId'], Status='Inactive')
tried('inactive', lambda: me.client('sts').get_caller_identity())
root.update_access_key(UserName=N, AccessKeyId=key['AccessKeyId'], Status='Active')
tried('active again', lambda: me.client('sts').get_caller_identity())
used = root.get_access_key_last_used(AccessKeyId=key['AccessKeyId'])
out['last used'] = [used['UserName'] == N, used['AccessKeyLastUsed']['ServiceName'], used['AccessKeyLastUsed']['Region']]

# A second factor: codes by RFC 6238, of the two steps before this one to enable the device.
device = root.create_virtual_mfa_device(VirtualMFADeviceName=N)['VirtualMFADevice']
seed = base64.b32decode(device['Base32StringSeed'])
now = int(time.time()) // 30


def code(step):
    d = hmac.new(seed, struct.pack('>Q', step), hashlib.sha1).digest()
    at = d[-1] & 15
    return '%06d' % ((struct.unpack('>I', d[at:at + 4])[0] & 0x7fffffff) % 10**6)


serial = device['SerialNumber']
tried('codes in the wrong order', lambda: root.enable_mfa_device(UserName=N, SerialNumber=serial, AuthenticationCode1=code(now - 1), AuthenticationCode2=code(now - 2)))
root.enable_mfa_device(UserName=N, SerialNumber=serial, AuthenticationCode1=code(now - 2), AuthenticationCode2=code(now - 1))
out['devices'] = [d['SerialNumber'] == serial for d in root.list_mfa_devices(UserName=N)['MFADevices']]
root.put_user_policy(UserName=N, PolicyName='mfa', PolicyDocument=document('Allow', 'iam:ListUsers', Condition={'Bool': {'aws:MultiFactorAuthPresent': 'true'}}))
sts = me.client('sts')
tried('without a second factor', lambda: iam.list_users(MaxItems=1))
tried('a wrong code', lambda: sts.get_session_token(SerialNumber=serial, TokenCode='%06d' % ((int(code(now)) + 1) % 10**6)))
proved = session(sts.get_session_token(SerialNumber=serial, TokenCode=code(now))['Credentials'])
tried('with a second factor', lambda: proved.client('iam').list_users(MaxItems=1))
tried('the same code again', lambda: sts.get_session_token(SerialNumber=serial, TokenCode=code(now)))
plain = session(sts.get_session_token()['Credentials'])
out['session'] = plain.client('sts').get_caller_identity()['Arn'] == user['Arn']
tried('IAM by a session without a second factor', lambda: plain.client('iam').get_user())
tried('a session of a session', lambda: plain.client('sts').get_session_token())
tried('a device in use', lambda: root.delete_virtual_mfa_device(SerialNumber=serial))

# What an account has once.
other = boto3.Session(aws_access_key_id=os.environ['OTHER_ID'], aws_secret_access_key=os.environ['OTHER_SECRET']).client('iam')
other.create_account_alias(AccountAlias=N)
out['aliases'] = [other.list_account_aliases()['AccountAliases'] == [N], N in root.list_account_aliases()['AccountAliases']]
tried('an alias of another account', lambda: root.create_account_alias(AccountAlias=N))
before = other.get_account_summary()['SummaryMap']
other.create_user(UserName=N)
after = other.get_account_summary()['SummaryMap']
out['summary'] = [after['Users'] - before['Users'], after['UsersQuota'], after['RolesQuota'], after['AccessKeysPerUserQuota'], before['Roles']]
details = [u['UserName'] for p in other.get_paginator('get_account_authorization_details').paginate(Filter=['User']) for u in p['UserDetailList']]
out['details'] = N in details
other.delete_user(UserName=N)
other.delete_account_alias(AccountAlias=N)

root.deactivate_mfa_device(UserName=N, SerialNumber=serial)
root.delete_virtual_mfa_device(SerialNumber=serial)
root.delete_access_key(UserName=N, AccessKeyId=key['AccessKeyId'])
tried('deleted', lambda: me.client('sts').get_caller_identity())
root.remove_user_from_group(GroupName=N, UserName=N)
root.delete_group_policy(GroupName=N, PolicyName='list')
root.delete_group(GroupName=N)
for p in root.list_user_policies(UserName=N)['PolicyNames']:
    root.delete_user_policy(UserName=N, PolicyName=p)
root.delete_user(UserName=N)
print(json.dumps(out))
