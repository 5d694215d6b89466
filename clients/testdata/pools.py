# boto3 through an identity pool that hands out the keys of roles: to guests, to developer identities and to those
# who come with a token of Entra, whose roles claim chooses the role. $NAME begins every name, $ISSUER is Entra's and
# $PROVIDER its ARN in IAM; $ADMIN, $READER and $VISITOR are tokens of three applications. Prints one JSON object.
import base64
import json
import os

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

env = os.environ
N, PROVIDER = env['NAME'], env['PROVIDER']
LOGIN = env['ISSUER'].removeprefix('https://')
ROLE = f'arn:aws:iam::123456789012:role/{N}-'
iam, pools = boto3.client('iam'), boto3.client('cognito-identity')
public, sts = (boto3.client(s, config=Config(signature_version=UNSIGNED)) for s in ('cognito-identity', 'sts'))
out = {}


def document(*statements):
    return json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', **s} for s in statements]})


def tried(name, f):
    try:
        out[name] = f()
    except ClientError as e:
        out[name] = [e.response['Error']['Code'], e.response['Error']['Message']]


def claims(token):
    return json.loads(base64.urlsafe_b64decode(token.split('.')[1] + '=='))


def session(c):
    return boto3.Session(aws_access_key_id=c['AccessKeyId'], aws_secret_access_key=c.get('SecretKey') or c['SecretAccessKey'], aws_session_token=c['SessionToken'])


def credentials(identity, **more):
    return session(public.get_credentials_for_identity(IdentityId=identity, **more)['Credentials'])


def arn(s):
    return s.client('sts').get_caller_identity()['Arn']


def role(name, pool, amr, *statements):
    iam.create_role(RoleName=f'{N}-{name}', AssumeRolePolicyDocument=document({
        'Principal': {'Federated': 'cognito-identity.amazonaws.com'}, 'Action': ['sts:AssumeRoleWithWebIdentity', 'sts:TagSession'],
        'Condition': {'StringEquals': {'cognito-identity.amazonaws.com:aud': pool}, 'ForAnyValue:StringLike': {'cognito-identity.amazonaws.com:amr': amr}}}))
    if statements:
        iam.put_role_policy(RoleName=f'{N}-{name}', PolicyName='p', PolicyDocument=document(*statements))
    return ROLE + name


anything = {'Action': ['iam:ListRoles', 'cognito-identity:*'], 'Resource': '*'}
pool = pools.create_identity_pool(IdentityPoolName=N, AllowUnauthenticatedIdentities=True, DeveloperProviderName='dev.example',
                                  OpenIdConnectProviderARNs=[PROVIDER])['IdentityPoolId']
out['pool'] = pool
guest = public.get_id(IdentityPoolId=pool)['IdentityId']
tried('without roles', lambda: credentials(guest))
roles = {k: role(k, pool, amr, *policy) for k, amr, policy in [
    ('guest', 'unauthenticated', [anything]), ('user', 'authenticated', [anything]), ('admin', 'authenticated', [anything]), ('reader', 'authenticated', [
        {'Action': 'iam:GetRole', 'Resource': ROLE + '${aws:PrincipalTag/client}'},  # of the tag's name: attributes decide
        {'Action': 'iam:GetUser', 'Resource': '*', 'Condition': {'StringEquals': {'aws:PrincipalTag/tier': 'gold'}}}])]}


def rule(value, role, match='Contains'):
    return {'Claim': 'roles', 'MatchType': match, 'Value': value, 'RoleARN': roles[role]}


mapping = {PROVIDER: {'Type': 'Rules', 'AmbiguousRoleResolution': 'Deny', 'RulesConfiguration': {'Rules': [rule('Orders.Admin', 'admin'), rule('Orders.Read', 'reader')]}}}
tried('a role that is none', lambda: pools.set_identity_pool_roles(IdentityPoolId=pool, Roles={'authenticated': ROLE + 'none'}))
pools.set_identity_pool_roles(IdentityPoolId=pool, Roles={'unauthenticated': roles['guest'], 'authenticated': roles['user']}, RoleMappings=mapping)
out['mappings'] = pools.get_identity_pool_roles(IdentityPoolId=pool)['RoleMappings'] == mapping

# Guests: what their role allows within the limits of all guests.
g = credentials(guest)
out['guest'] = arn(g)
tried('a guest within the limits', lambda: len(g.client('cognito-identity').list_identity_pools(MaxResults=1)['IdentityPools']))
tried('a guest outside of the limits', lambda: g.client('iam').list_roles(MaxItems=1))
tried('the basic flow beside mappings', lambda: public.get_open_id_token(IdentityId=guest))

# Developer identities.
d = pools.get_open_id_token_for_developer_identity(IdentityPoolId=pool, Logins={'dev.example': 'ann'}, PrincipalTags={'tier': 'gold'})
own = {'cognito-identity.amazonaws.com': d['Token']}
out['developer tags'] = claims(d['Token'])['https://aws.amazon.com/tags']
s = credentials(d['IdentityId'], Logins=own)
out['developer'] = arn(s)
tried('a developer identity', lambda: len(s.client('iam').list_roles(MaxItems=1)['Roles']))
tried('without its token', lambda: credentials(d['IdentityId']))
tried('with the developer name', lambda: credentials(d['IdentityId'], Logins={'dev.example': 'ann'}))
tried("another's token", lambda: credentials(guest, Logins=own))
direct = session(sts.assume_role_with_web_identity(RoleArn=roles['reader'], RoleSessionName='direct', WebIdentityToken=d['Token'])['Credentials'])
out['by STS'] = arn(direct)
tried('by its tag', lambda: direct.client('iam').get_user(UserName=N + '-none'))

# Logins of Entra. The key is the issuer as the token writes it: letter for letter.
pools.set_principal_tag_attribute_map(IdentityPoolId=pool, IdentityProviderName=PROVIDER, UseDefaults=False, PrincipalTags={'client': 'azpacr', 'absent': 'nothing'})
identity = {}
for who in ('ADMIN', 'READER', 'VISITOR'):
    identity[who] = public.get_id(IdentityPoolId=pool, Logins={LOGIN: env[who]})['IdentityId']
out['the same again'] = public.get_id(IdentityPoolId=pool, Logins={LOGIN: env['ADMIN']})['IdentityId'] == identity['ADMIN']
out['logins'] = pools.describe_identity(IdentityId=identity['ADMIN'])['Logins']


def entra(who, **more):
    return credentials(identity[who], Logins={LOGIN: env[who]}, **more)


out['admin'], out['reader'] = arn(entra('ADMIN')), arn(entra('READER'))
tried('admin allowed', lambda: len(entra('ADMIN').client('iam').list_roles(MaxItems=1)['Roles']))
tried('reader denied', lambda: entra('READER').client('iam').list_roles(MaxItems=1))
role('1', pool, 'nobody')  # azpacr is 1 for a client secret
tried('reader by attribute', lambda: entra('READER').client('iam').get_role(RoleName=f'{N}-1')['Role']['RoleName'])
tried('reader against attribute', lambda: entra('READER').client('iam').get_role(RoleName=f'{N}-admin'))
tried('admin as reader', lambda: arn(entra('ADMIN', CustomRoleArn=roles['reader'])))
tried('reader as admin', lambda: arn(entra('READER', CustomRoleArn=roles['admin'])))
tried('no rule', lambda: entra('VISITOR'))
mapping[PROVIDER]['AmbiguousRoleResolution'] = 'AuthenticatedRole'
pools.set_identity_pool_roles(IdentityPoolId=pool, Roles={'unauthenticated': roles['guest'], 'authenticated': roles['user']}, RoleMappings=mapping)
tried('no rule, then that of all', lambda: arn(entra('VISITOR')))
tried("another's identity", lambda: credentials(identity['READER'], Logins={LOGIN: env['ADMIN']}))
tried('another case', lambda: public.get_id(IdentityPoolId=pool, Logins={LOGIN.upper(): env['ADMIN']}))
tried('a slash more', lambda: public.get_id(IdentityPoolId=pool, Logins={LOGIN + '/': env['ADMIN']}))
tried('forged', lambda: public.get_id(IdentityPoolId=pool, Logins={LOGIN: env['ADMIN'].rsplit('.', 1)[0] + '.' + env['READER'].rsplit('.', 1)[1]}))

# The basic flow, when no mapping stands in its way; and a pool that wants no guests.
pools.set_identity_pool_roles(IdentityPoolId=pool, Roles={'unauthenticated': roles['guest']})
token = public.get_open_id_token(IdentityId=guest)['Token']
basic = sts.assume_role_with_web_identity(RoleArn=roles['guest'], RoleSessionName='basic', WebIdentityToken=token)
out['basic'] = [basic['AssumedRoleUser']['Arn'], basic['Provider'], basic['Audience'] == pool, basic['SubjectFromWebIdentityToken'] == guest]
tried('unlimited in the basic flow', lambda: len(session(basic['Credentials']).client('iam').list_roles(MaxItems=1)['Roles']))
tried("the others' role", lambda: sts.assume_role_with_web_identity(RoleArn=roles['user'], RoleSessionName='basic', WebIdentityToken=token))
pools.update_identity_pool(IdentityPoolId=pool, IdentityPoolName=N, AllowUnauthenticatedIdentities=False, DeveloperProviderName='dev.example')
tried('no guests', lambda: public.get_id(IdentityPoolId=pool))
tried('a guest of before', lambda: credentials(guest))
pools.delete_identity_pool(IdentityPoolId=pool)
print(json.dumps(out))
