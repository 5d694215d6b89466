# azure-identity for Python: answers each ask of ASKS with a token or an error. Prints one JSON object.
# Debian's version has no WorkloadIdentityCredential; its ManagedIdentityCredential is one where the
# environment names a token file.
import json
import os

from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientAssertionCredential, DefaultAzureCredential, ManagedIdentityCredential


def credential(ask):
    kind = ask['credential']
    if kind == 'default':
        return DefaultAzureCredential()
    if kind == 'assertion':  # the application shows the managed identity's token
        machine = ManagedIdentityCredential(client_id=ask['client_id'])
        return ClientAssertionCredential(ask['tenant'], ask['app'], lambda: machine.get_token('api://AzureADTokenExchange/.default').token)
    if ask.get('client_id'):
        return ManagedIdentityCredential(client_id=ask['client_id'])
    # The caller has to know by which name the machine's endpoint takes an ARM id.
    resource_id = 'mi_res_id' if 'IDENTITY_HEADER' in os.environ else 'msi_res_id'
    names = {'object_id': ask.get('object_id'), resource_id: ask.get('resource_id')}
    config = {k: v for k, v in names.items() if v}
    return ManagedIdentityCredential(identity_config=config) if config else ManagedIdentityCredential()


out = {}
for ask in json.loads(os.environ['ASKS']):
    try:
        token = credential(ask).get_token(ask['scope'])
        out[ask['name']] = {'token': token.token, 'expires_on': token.expires_on}
    except (ClientAuthenticationError, ValueError) as e:
        out[ask['name']] = {'error': '%s: %s' % (type(e).__name__, e)}
print(json.dumps(out))
