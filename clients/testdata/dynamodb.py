# boto3 with the keys that it gets for a token of Entra (AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE), at a table of
# which it may read everything and write what belongs to it. Prints one JSON object.
import json
import os

import boto3
from botocore.exceptions import ClientError

out, me = {}, os.environ['SUBJECT']
table = boto3.resource('dynamodb').Table('orders')
client = boto3.client('dynamodb')


def tried(name, f):
    try:
        out[name] = f()
    except ClientError as e:
        out[name] = [type(e).__name__, e.response['Error']['Code'], e.response['Error']['Message'], e.response['ResponseMetadata']['HTTPStatusCode']]


table.put_item(Item={'owner': me, 'number': 1, 'lines': [{'what': 'tea', 'price': 3}], 'open': True})
got = table.get_item(Key={'owner': me, 'number': 1})['Item']
out['got'] = [got['lines'][0]['what'], int(got['lines'][0]['price']), got['open']]
updated = table.update_item(Key={'owner': me, 'number': 1}, UpdateExpression='SET #o = :no', ExpressionAttributeNames={'#o': 'open'},
                            ExpressionAttributeValues={':no': False}, ReturnValues='ALL_NEW')
out['updated'] = updated['Attributes']['open']
tried('a condition', lambda: table.put_item(Item={'owner': me, 'number': 1}, ConditionExpression='attribute_not_exists(#o)', ExpressionAttributeNames={'#o': 'owner'}))
with table.batch_writer() as batch:
    for n in range(2, 6):
        batch.put_item(Item={'owner': me, 'number': n})
pages = client.get_paginator('query').paginate(TableName='orders', KeyConditionExpression='#o = :me', ExpressionAttributeNames={'#o': 'owner'},
                                               ExpressionAttributeValues={':me': {'S': me}}, PaginationConfig={'PageSize': 2})
out['pages'] = [len(p['Items']) for p in pages]
tried("another's", lambda: table.put_item(Item={'owner': 'another', 'number': 1}))
tried('delete', lambda: table.delete_item(Key={'owner': me, 'number': 1}))
tried('scan', lambda: table.scan())
tried('another table', lambda: client.describe_table(TableName='others'))
tried('create', lambda: client.create_table(TableName='mine', BillingMode='PAY_PER_REQUEST', KeySchema=[{'AttributeName': 'k', 'KeyType': 'HASH'}],
                                            AttributeDefinitions=[{'AttributeName': 'k', 'AttributeType': 'S'}]))
print(json.dumps(out))
