# The flow of the second article with its own literal values: boto3 asks Cognito for a token, urllib3
# posts it to Entra as client_assertion. Prints what came back as one JSON object.
import json
import os
from urllib.parse import urlencode

from boto3 import client
from urllib3 import ProxyManager

DEVELOPER_PROVIDER_NAME = 'my.dev.provider'
DEVELOPER_USER_NAME = 'my_user_id'
IDENTITY_POOL_ID = os.environ['POOL']
AZURE_APP_TENANT_ID = os.environ['TENANT']
AZURE_APP_CLIENT_ID = os.environ['APP']

cognito_resp = client('cognito-identity').get_open_id_token_for_developer_identity(
    IdentityPoolId=IDENTITY_POOL_ID,
    Logins={DEVELOPER_PROVIDER_NAME: DEVELOPER_USER_NAME},
    TokenDuration=120,  # s
)

url = f'https://login.microsoftonline.com/{AZURE_APP_TENANT_ID}/oauth2/v2.0/token'
payload = {
    'client_id': AZURE_APP_CLIENT_ID,
    'scope': 'https://graph.microsoft.com/.default',
    'client_assertion_type': 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    'client_assertion': cognito_resp['Token'],
    'grant_type': 'client_credentials',
}
http = ProxyManager(os.environ['HTTPS_PROXY'], ca_certs=os.environ['SSL_CERT_FILE'])
r = http.request('POST', url, body=urlencode(payload),
                 headers={'Content-Type': 'application/x-www-form-urlencoded'})
data = json.loads(r.data.decode('utf-8'))

graph = None
if 'access_token' in data:
    g = http.request('GET', 'https://graph.microsoft.com/v1.0/applications?$top=1',
                     headers={'Authorization': 'Bearer ' + data['access_token']})
    graph = {'status': g.status, 'body': json.loads(g.data.decode('utf-8'))}

print(json.dumps({'identity': cognito_resp['IdentityId'], 'cognito': cognito_resp['Token'],
                  'status': r.status, 'entra': data, 'graph': graph}))
