# boto3 tells what AWS has of what testdata/terraform/federation.tf makes, and of what is gone the error's code. Prints one
# JSON object.
import json
import os

import boto3
from botocore.exceptions import ClientError

iam = boto3.client('iam')
pools = boto3.client('cognito-identity', region_name='us-east-1')
role, provider, policy, pool = (os.environ[name] for name in ('ROLE', 'PROVIDER', 'POLICY', 'POOL'))


def ask(call, member, **arguments):
    try:
        answer = call(**arguments)
    except ClientError as e:
        return e.response['Error']['Code']
    answer.pop('ResponseMetadata', None)
    return answer[member] if member else answer


attached = ask(iam.list_attached_role_policies, 'AttachedPolicies', RoleName=role)
print(json.dumps({
    'provider': ask(iam.get_open_id_connect_provider, None, OpenIDConnectProviderArn=provider),
    'role': ask(iam.get_role, 'Role', RoleName=role),
    'own': ask(iam.get_role_policy, 'PolicyDocument', RoleName=role, PolicyName='inline'),
    'attached': attached if isinstance(attached, str) else sorted(p['PolicyArn'] for p in attached),
    'policy': ask(iam.get_policy, 'Policy', PolicyArn=policy),
    'version': ask(iam.get_policy_version, 'PolicyVersion', PolicyArn=policy, VersionId='v1'),
    'pool': ask(pools.describe_identity_pool, None, IdentityPoolId=pool),
    'roles': ask(pools.get_identity_pool_roles, None, IdentityPoolId=pool),
}, default=str))
