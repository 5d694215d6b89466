# A call in the query protocol that this boto3 has no method for, signed by botocore with the keys of the
# environment: query.py SERVICE HOST NAME=VALUE… Prints the status and the texts of the answer as one JSON object.
import json
import os
import sys
import xml.etree.ElementTree as ET
from urllib.parse import urlencode

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

service, host, *parameters = sys.argv[1:]
request = AWSRequest('POST', f'https://{host}/', data=urlencode([tuple(p.split('=', 1)) for p in parameters]),
                     headers={'Content-Type': 'application/x-www-form-urlencoded'})
SigV4Auth(boto3.Session().get_credentials().get_frozen_credentials(), service, 'us-east-1').add_auth(request)
answer = URLLib3Session(proxies={'https': os.environ['HTTPS_PROXY']}, verify=os.environ['AWS_CA_BUNDLE']).send(request.prepare())
texts = {e.tag.split('}')[1]: e.text for e in ET.fromstring(answer.text).iter() if e.text and e.text.strip()}
print(json.dumps({'status': answer.status_code, **texts}))
