# MSAL for Python in the tenants of ASKS, each with a secret or an assertion. Prints one JSON object.
import json
import os

import msal

out = {}
for ask in json.loads(os.environ['ASKS']):
    credential = ask.get('secret') or {'client_assertion': ask['assertion']}
    app = msal.ConfidentialClientApplication(ask['app'], authority='https://login.microsoftonline.com/' + ask['tenant'], client_credential=credential)
    out[ask['name']] = app.acquire_token_for_client(scopes=['https://graph.microsoft.com/.default'])
print(json.dumps(out))
