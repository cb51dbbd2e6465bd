"""The chat and model calls of OpenAI's Python client against a running `crosscope serve`.

Usage: openai_surface.py URL TOKEN     (needs openai; URL ends in /v1)

Prints a line for each call that does not do what it should, then how many did and did not.
"""

import asyncio
import sys

import openai
from openai import AsyncOpenAI, OpenAI

URL, TOKEN = sys.argv[1:3]
client = OpenAI(base_url=URL, api_key=TOKEN, max_retries=0)
chat, user = client.chat.completions, [{"role": "user", "content": "Hi"}]
held = failed = 0


def expect(name, call, error=None):
    """The call's result; where an error is named, it must be that one."""
    global held, failed
    try:
        result = call()
        problem = f"no {error.__name__}" if error else None
    except Exception as e:
        result, problem = None, None if error and isinstance(e, error) else repr(e)[:200]
    held, failed = held + (not problem), failed + bool(problem)
    if problem:
        print("FAIL", name, problem)
    return result


def request(**more):
    return dict(model=model, messages=user, max_tokens=4, temperature=0) | more


def same(a, b):
    assert a == b, (a, b)


model = expect("models.list", lambda: client.models.list()).data[0].id
expect("models.retrieve", lambda: same(client.models.retrieve(model).id, model))
expect("models.retrieve of another", lambda: client.models.retrieve("x/y"), openai.NotFoundError)
expect("models.delete", lambda: client.models.delete(model), openai.APIStatusError)
first = expect("create", lambda: chat.create(**request()))

OPTIONAL = ["audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens",
            "metadata", "modalities", "n", "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key",
            "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream",
            "stream_options", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity", "web_search_options"]
for key in OPTIONAL:
    expect(f"{key} null", lambda: chat.create(**request(**{key: None})))
expect("all null", lambda: chat.create(**request(**dict.fromkeys(OPTIONAL))))
TAKEN = [dict(tools=[]), dict(response_format={"type": "text"}), dict(logit_bias={}), dict(presence_penalty=0), dict(user="me"),
         dict(tool_choice="none"), dict(service_tier="auto"), dict(store=False), dict(metadata={"a": "b"}), dict(top_p=1),
         dict(parallel_tool_calls=False), dict(modalities=["text"]), dict(frequency_penalty=0.5), dict(stop="x"),
         dict(stop=["a", "b"]), dict(n=3), dict(extra_headers={"X-Y": "z"}), dict(extra_body={"min_p": 0.1}),
         dict(messages=user + [first.choices[0].message.model_dump()] + user),
         dict(messages=user + [first.choices[0].message] + user),
         dict(messages=[{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]),
         dict(messages=[{"role": "system", "content": "Be brief."}] + user),
         dict(messages=[{"role": "developer", "content": "Be brief."}] + user)]
TAKEN += [dict(seed=seed) for seed in (-1, 0, 2**63 - 1, -(2**63))]
for more in TAKEN:
    expect(str(more), lambda: chat.create(**request(**more)))
REFUSED = [dict(tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}]), dict(presence_penalty=1),
           dict(response_format={"type": "json_object"}), dict(logit_bias={"5": 1}), dict(store=True),
           dict(reasoning_effort="high"), dict(max_tokens=10**6)]
for more in REFUSED:
    expect(str(more), lambda: chat.create(**request(**more)), openai.BadRequestError)
expect("another model", lambda: chat.create(**request(model="gpt-4o")), openai.NotFoundError)
expect("another key", lambda: OpenAI(base_url=URL, api_key="no", max_retries=0).models.list(), openai.AuthenticationError)


def listed():
    answer = chat.create(**request(logprobs=True, top_logprobs=3, n=2, max_tokens=8, stop=["e"]))
    for choice in answer.choices:
        same("".join(token.token for token in choice.logprobs.content), choice.message.content)


def streamed():
    parts = chat.create(**request(stream=True, stream_options={"include_usage": True}))
    parts = list(parts)
    same("".join(p.choices[0].delta.content or "" for p in parts if p.choices), first.choices[0].message.content)
    assert parts[-1].usage.total_tokens > 0


def helped():
    with chat.stream(model=model, messages=user, max_tokens=4, temperature=0) as events:
        for _ in events:
            pass


def left():
    parts = chat.create(**request(stream=True, max_tokens=200))
    next(iter(parts))
    parts.close()


def lines():
    with chat.with_streaming_response.create(**request(stream=True)) as answer:
        same(list(answer.iter_lines())[-2:], ["data: [DONE]", ""])


async def together():
    others = AsyncOpenAI(base_url=URL, api_key=TOKEN, max_retries=0).chat.completions
    await asyncio.gather(*[others.create(**request()) for _ in range(3)])
    async for _ in await others.create(**request(stream=True)):
        pass


expect("logprobs", listed)
expect("stream", streamed)
expect("stream helper", helped)
# It is content with whole answers only.
expect("parse", lambda: chat.parse(**request()), openai.LengthFinishReasonError)
expect("leaving a stream", left)
expect("raw response", lambda: chat.with_raw_response.create(**request()).parse())
expect("streaming response", lines)
expect("async", lambda: asyncio.run(together()))
for name, call in [("list", chat.list), ("retrieve", lambda: chat.retrieve("x")), ("delete", lambda: chat.delete("x")),
                   ("update", lambda: chat.update("x", metadata={})), ("messages", lambda: chat.messages.list("x")),
                   ("embeddings", lambda: client.embeddings.create(model=model, input="x")),
                   ("completions", lambda: client.completions.create(model=model, prompt="x"))]:
    expect(name, call, openai.APIStatusError)
print(f"{held} hold, {failed} fail")
sys.exit(1 if failed else 0)
