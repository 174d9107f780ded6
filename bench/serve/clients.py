"""Asks a server through the clients that PyPI has of OpenAI and Cohere, and prints what they got as JSON.

    python clients.py http://127.0.0.1:8080 < texts.json
"""
import json
import sys

import cohere
import openai

url = sys.argv[1]
texts = json.load(sys.stdin)
model = 'all-MiniLM-L6-v2'
client = openai.OpenAI(base_url=f'{url}/v1', api_key='none', max_retries=0)
answer = client.embeddings.create(model=model, input=texts)
plain = client.embeddings.create(model=model, input=texts, encoding_format='float')
short = client.embeddings.create(model=model, input=texts[0], dimensions=64)
errors = {}
for name, request in {
    'model': dict(model='none', input='a'),
    'empty': dict(model=model, input=[]),
    'long': dict(model=model, input='word ' * 5000),
}.items():
    try:
        client.embeddings.create(**request)
    except openai.APIStatusError as error:
        errors[name] = [type(error).__name__, error.status_code, error.code]
embedded = cohere.ClientV2(api_key='none', base_url=url).embed(
    model=model, texts=texts, input_type='search_document', embedding_types=['float', 'int8', 'ubinary']
)
print(json.dumps({
    'versions': {'openai': openai.__version__, 'cohere': cohere.__version__},
    'base64': [row.embedding for row in answer.data],
    'float': [row.embedding for row in plain.data],
    'short': short.data[0].embedding,
    'usage': answer.usage.prompt_tokens,
    'models': [entry.id for entry in client.models.list()],
    'errors': errors,
    'cohere': embedded.embeddings.float_,
    'int8': embedded.embeddings.int8,
    'ubinary': embedded.embeddings.ubinary,
}))
