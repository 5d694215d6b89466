# boto3 through the life of an identity pool. Prints one JSON object.
import json

import boto3
from botocore.exceptions import ClientError

c = boto3.client('cognito-identity')
out = {'caller': boto3.client('sts').get_caller_identity()['Arn']}
pool = c.create_identity_pool(IdentityPoolName='boto pool', AllowUnauthenticatedIdentities=True,
                              DeveloperProviderName='boto.dev', IdentityPoolTags={'team': 'a'})
pid = pool['IdentityPoolId']
out['pool'] = {k: v for k, v in pool.items() if k != 'ResponseMetadata'}
first = c.get_open_id_token_for_developer_identity(IdentityPoolId=pid, Logins={'boto.dev': 'u1'})
again = c.get_open_id_token_for_developer_identity(IdentityPoolId=pid, Logins={'boto.dev': 'u1'})
out['stable'] = first['IdentityId'] == again['IdentityId']
out['token'] = first['Token']
c.get_open_id_token_for_developer_identity(IdentityPoolId=pid, Logins={'boto.dev': 'u2'}, IdentityId=first['IdentityId'])
look = c.lookup_developer_identity(IdentityPoolId=pid, IdentityId=first['IdentityId'], MaxResults=10)
out['users'] = look['DeveloperUserIdentifierList']
guest = c.get_id(IdentityPoolId=pid)['IdentityId']
out['guest'] = c.get_open_id_token(IdentityId=guest)['Token']
desc = c.describe_identity(IdentityId=first['IdentityId'])
out['created'] = desc['CreationDate'].isoformat()
out['logins'] = desc['Logins']
out['errors'] = {}
for name, call in {
    'unknown pool': lambda: c.describe_identity_pool(IdentityPoolId='us-east-1:00000000-0000-0000-0000-000000000000'),
    'public provider': lambda: c.get_id(IdentityPoolId=pid, Logins={'boto.dev': 'u1'}),
    'forbidden': lambda: c.get_open_id_token(IdentityId=first['IdentityId']),
    'duration': lambda: c.get_open_id_token_for_developer_identity(IdentityPoolId=pid, Logins={'boto.dev': 'u1'}, TokenDuration=86401),
}.items():
    try:
        call()
        out['errors'][name] = None
    except ClientError as e:
        out['errors'][name] = [e.response['Error']['Code'], e.response['Error']['Message'],
                               e.response['ResponseMetadata']['HTTPStatusCode']]
pages, token = [], None
for i in range(3):
    c.create_identity_pool(IdentityPoolName=f'page {i}', AllowUnauthenticatedIdentities=False)
while True:
    page = c.list_identity_pools(MaxResults=2, **({'NextToken': token} if token else {}))
    pages.append(len(page['IdentityPools']))
    token = page.get('NextToken')
    if not token:
        break
out['pages'] = pages
c.delete_identity_pool(IdentityPoolId=pid)
print(json.dumps(out))
