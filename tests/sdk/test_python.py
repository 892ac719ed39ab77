"""OpenAI's Python SDK against a server: WARPGRAMMAR_URL says where it is, WARPGRAMMAR_KEY is its key."""

import asyncio
import io
import json
import os
import time
import unittest
import urllib.request

import openai
from openai import AsyncOpenAI, AzureOpenAI, OpenAI

import models

URL = os.environ["WARPGRAMMAR_URL"]
KEY = os.environ["WARPGRAMMAR_KEY"]
client = OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)
azure = AzureOpenAI(azure_endpoint=URL, api_key=KEY, api_version="2024-10-21", max_retries=0)
RECURSIVE = {models.UI, models.LinkedList}


def conversation(text):
    return [
        {"role": "system", "content": "Extract what the text says."},
        {"role": "user", "content": text},
    ]


class Chat(unittest.TestCase):
    def test_parse_with_every_model(self):
        for model, text in models.FORMATS:
            with self.subTest(model=model.__name__):
                completion = client.chat.completions.parse(
                    model="copy", messages=conversation(text), response_format=model, max_completion_tokens=700
                )
                message = completion.choices[0].message
                self.assertEqual(completion.choices[0].finish_reason, "stop")
                self.assertIsInstance(message.parsed, model)
                self.assertIsNone(message.refusal)
                self.assertEqual(message.parsed, model.model_validate_json(message.content))
                self.assertEqual(
                    completion.usage.total_tokens,
                    completion.usage.prompt_tokens + completion.usage.completion_tokens,
                )

    def test_azure_parses_too(self):
        completion = azure.chat.completions.parse(
            model="my-deployment",
            messages=conversation("Alice and Bob are going to a science fair on Friday."),
            response_format=models.CalendarEvent,
        )
        self.assertIsInstance(completion.choices[0].message.parsed, models.CalendarEvent)
        self.assertEqual(completion.model, "my-deployment")

    def test_stream_helper(self):
        for model, text in models.FORMATS:
            with self.subTest(model=model.__name__):
                kinds, deltas = set(), ""
                with client.chat.completions.stream(
                    model="copy",
                    messages=conversation(text),
                    response_format=model,
                    max_completion_tokens=700,
                    stream_options={"include_usage": True},
                ) as stream:
                    for event in stream:
                        kinds.add(event.type)
                        deltas += event.delta if event.type == "content.delta" else ""
                    final = stream.get_final_completion()
                self.assertLessEqual({"chunk", "content.delta", "content.done"}, kinds)
                self.assertIsInstance(final.choices[0].message.parsed, model)
                self.assertEqual(deltas, final.choices[0].message.content)
                self.assertGreater(final.usage.completion_tokens, 0)

    def test_functions(self):
        for model in (models.GetDeliveryDate, models.GetWeather, models.Query):
            tools = [openai.pydantic_function_tool(model)]
            arguments = dict(
                model="copy",
                messages=conversation("Hi, can you tell me the delivery date for my order #12345?"),
                tools=tools,
                tool_choice="required",
                parallel_tool_calls=False,
            )
            with self.subTest(model=model.__name__):
                choice = client.chat.completions.parse(**arguments).choices[0]
                self.assertEqual(choice.finish_reason, "tool_calls")
                call = choice.message.tool_calls[0].function
                self.assertEqual(call.name, model.__name__)
                self.assertIsInstance(call.parsed_arguments, model)
                with client.chat.completions.stream(**arguments) as stream:
                    kinds = {event.type for event in stream}
                    final = stream.get_final_completion()
                self.assertLessEqual(
                    {"tool_calls.function.arguments.delta", "tool_calls.function.arguments.done"}, kinds
                )
                self.assertIsInstance(final.choices[0].message.tool_calls[0].function.parsed_arguments, model)

    def test_a_call_is_answered_and_the_conversation_goes_on(self):
        tools = [openai.pydantic_function_tool(models.GetWeather)]
        messages = conversation("What is the weather in Lisbon? In C.")
        first = client.chat.completions.create(
            model="copy", messages=messages, tools=tools, tool_choice="required", parallel_tool_calls=False
        )
        call = first.choices[0].message.tool_calls[0]
        messages.append(first.choices[0].message)
        messages.append({"role": "tool", "tool_call_id": call.id, "content": '{"celsius": 17}'})
        second = client.chat.completions.create(model="copy", messages=messages, tools=tools, tool_choice="none", max_tokens=30)
        self.assertIsNotNone(second.choices[0].message.content)

    def test_log_probabilities_choices_and_json_mode(self):
        completion = client.chat.completions.create(
            model="copy",
            messages=conversation("Answer in JSON. Name: Ada."),
            response_format={"type": "json_object"},
            logprobs=True,
            top_logprobs=2,
            n=3,
            seed=1,
            max_tokens=200,
        )
        self.assertEqual([choice.index for choice in completion.choices], [0, 1, 2])
        for choice in completion.choices:
            self.assertIsInstance(json.loads(choice.message.content), dict)
            spelt = b"".join(bytes(token.bytes) for token in choice.logprobs.content)
            self.assertEqual(spelt.decode(), choice.message.content)

    def test_errors_are_the_sdks(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            client.chat.completions.create(
                model="copy",
                messages=conversation("x"),
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "n", "strict": True, "schema": {"type": "object", "properties": {}}},
                },
            )
        self.assertEqual(caught.exception.param, "response_format")
        self.assertIn("'additionalProperties' is required to be supplied and to be false", str(caught.exception))
        with self.assertRaises(openai.AuthenticationError):
            OpenAI(base_url=f"{URL}/v1", api_key="wrong", max_retries=0).models.list()
        with self.assertRaises(openai.NotFoundError):
            client.models.retrieve("nobody")
        with self.assertRaises(openai.NotFoundError):
            client.embeddings.create(model="copy", input="x")


class Responses(unittest.TestCase):
    def test_parse_with_every_model(self):
        for model, text in models.FORMATS:
            with self.subTest(model=model.__name__):
                response = client.responses.parse(
                    model="copy", input=conversation(text), text_format=model, max_output_tokens=700
                )
                self.assertEqual(response.status, "completed")
                self.assertIsInstance(response.output_parsed, model)

    def test_stream_helper(self):
        for model, text in models.FORMATS:
            with self.subTest(model=model.__name__):
                kinds = []
                with client.responses.stream(
                    model="copy", input=text, text_format=model, max_output_tokens=700
                ) as stream:
                    for event in stream:
                        kinds.append(event.type)
                    final = stream.get_final_response()
                self.assertEqual((kinds[0], kinds[-1]), ("response.created", "response.completed"))
                self.assertIn("response.output_text.delta", kinds)
                self.assertIsInstance(final.output_parsed, model)

    def test_functions(self):
        for model in (models.GetDeliveryDate, models.Query):
            tool = openai.pydantic_function_tool(model)["function"] | {"type": "function"}
            response = client.responses.create(
                model="copy", input="Order #12345, please.", tools=[tool], tool_choice="required", parallel_tool_calls=False
            )
            call = response.output[0]
            self.assertEqual((call.type, call.name), ("function_call", model.__name__))
            model.model_validate_json(call.arguments)
            again = client.responses.create(
                model="copy",
                input=[
                    {"role": "user", "content": "Order #12345, please."},
                    call,
                    {"type": "function_call_output", "call_id": call.call_id, "output": "Friday"},
                ],
                max_output_tokens=30,
            )
            self.assertIsInstance(again.output_text, str)

    def test_plain_stream(self):
        stream = client.responses.create(model="copy", input="Say something about tides.", stream=True, max_output_tokens=40)
        events = list(stream)
        self.assertIn(events[-1].type, ("response.completed", "response.incomplete"))
        deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        self.assertEqual(deltas, events[-1].response.output_text)


class Rest(unittest.TestCase):
    def test_models(self):
        self.assertEqual([model.id for model in client.models.list()], ["copy"])
        self.assertEqual(client.models.retrieve("copy").owned_by, "warpgrammar")

    def test_many_at_a_time(self):
        async def all_of_them():
            many = AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=2)

            async def one(k):
                model, text = models.FORMATS[k % len(models.FORMATS)]
                completion = await many.chat.completions.parse(
                    model="copy", messages=conversation(text), response_format=model, max_completion_tokens=700
                )
                return isinstance(completion.choices[0].message.parsed, model)

            done = await asyncio.gather(*(one(k) for k in range(40)))
            await many.close()
            return done

        self.assertTrue(all(asyncio.run(all_of_them())))

    def test_batch(self):
        lines = []
        for k, (model, text) in enumerate(models.FORMATS):
            schema = openai.lib._pydantic.to_strict_json_schema(model)
            body = {
                "model": "copy",
                "messages": conversation(text),
                "max_completion_tokens": 700,
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": model.__name__, "schema": schema, "strict": True},
                },
            }
            lines.append(
                json.dumps({"custom_id": str(k), "method": "POST", "url": "/v1/chat/completions", "body": body})
            )
        data = io.BytesIO("\n".join(lines).encode())
        file = client.files.create(file=("requests.jsonl", data), purpose="batch")
        self.assertEqual(file.bytes, len(data.getvalue()))
        batch = client.batches.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={"for": "a test"},
        )
        until = time.time() + 60
        while batch.status not in ("completed", "failed", "expired", "cancelled") and time.time() < until:
            time.sleep(0.05)
            batch = client.batches.retrieve(batch.id)
        self.assertEqual(batch.status, "completed")
        self.assertEqual((batch.request_counts.completed, batch.request_counts.failed), (len(lines), 0))
        seen = {}
        for line in client.files.content(batch.output_file_id).text.splitlines():
            reply = json.loads(line)
            model, _ = models.FORMATS[int(reply["custom_id"])]
            seen[reply["custom_id"]] = model.model_validate_json(
                reply["response"]["body"]["choices"][0]["message"]["content"]
            )
        self.assertEqual(len(seen), len(lines))
        self.assertIn(batch.id, [b.id for b in client.batches.list(limit=10)])
        self.assertIn(file.id, [f.id for f in client.files.list(purpose="batch")])
        self.assertTrue(client.files.delete(file.id).deleted)
        with self.assertRaises(openai.NotFoundError):
            client.files.retrieve(file.id)

    def test_clova_by_plain_http(self):
        body = {
            "messages": [
                {"role": "system", "content": "- This is a friendly AI assistant."},
                {"role": "user", "content": "Today's high is 32 degrees, the low is 15 degrees, 30% chance of rain."},
            ],
            "topP": 0.8,
            "topK": 0,
            "maxTokens": 200,
            "temperature": 0.5,
            "repetitionPenalty": 1.1,
            "stop": [],
            "responseFormat": {
                "type": "json",
                "schema": {
                    "type": "object",
                    "properties": {
                        "temp_high_c": {"type": "number", "description": "Highest temperature (Celsius)"},
                        "temp_low_c": {"type": "number", "description": "Lowest temperature (Celsius)"},
                        "precipitation_percent": {"type": "number", "minimum": 0, "maximum": 100},
                    },
                    "required": ["temp_high_c", "temp_low_c", "precipitation_percent"],
                },
            },
        }

        def ask(headers):
            request = urllib.request.Request(
                f"{URL}/v3/chat-completions/HCX-007",
                json.dumps(body).encode(),
                {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"} | headers,
            )
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.read().decode()

        reply = json.loads(ask({}))
        self.assertEqual(reply["status"]["code"], "20000")
        said = json.loads(reply["result"]["message"]["content"])
        self.assertEqual(list(said), body["responseFormat"]["schema"]["required"])
        self.assertTrue(0 <= said["precipitation_percent"] <= 100)
        events = [dict(line.split(": ", 1) for line in event.split("\n")) for event in ask({"Accept": "text/event-stream"}).strip().split("\n\n")]
        self.assertEqual([event["event"] for event in events[-2:]], ["result", "signal"])
        pieces = "".join(json.loads(e["data"])["message"]["content"] for e in events if e["event"] == "token")
        self.assertEqual(pieces, json.loads(events[-2]["data"])["message"]["content"])


if __name__ == "__main__":
    unittest.main(verbosity=1)
