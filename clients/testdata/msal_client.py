# MSAL for Python: a client secret, a certificate and a federated token. Prints one JSON object.
import json
import os

import msal

authority = 'https://login.microsoftonline.com/' + os.environ['TENANT']
out = {}
for name, credential in {
    'secret': os.environ['SECRET'],
    'certificate': {'private_key': open(os.environ['KEY_FILE']).read(), 'thumbprint': os.environ['THUMBPRINT']},
    'federated': {'client_assertion': os.environ['ASSERTION']},
    'wrong secret': 'not the secret',
}.items():
    app = msal.ConfidentialClientApplication(os.environ['APP'], authority=authority, client_credential=credential)
    out[name] = app.acquire_token_for_client(scopes=['https://graph.microsoft.com/.default'])
print(json.dumps(out))
