// OpenAI's Node SDK against a server: WARPGRAMMAR_URL says where it is, WARPGRAMMAR_KEY is its key.

import assert from "node:assert/strict";
import test from "node:test";
import OpenAI, { AzureOpenAI } from "openai";
import { zodFunction, zodResponseFormat, zodResponsesFunction, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const url = process.env.WARPGRAMMAR_URL;
const apiKey = process.env.WARPGRAMMAR_KEY;
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });

const Step = z.object({ explanation: z.string(), output: z.string() });
const UI = z.lazy(() =>
  z.object({
    type: z.enum(["div", "button", "header", "section", "field", "form"]),
    label: z.string(),
    children: z.array(UI),
    attributes: z.array(z.object({ name: z.string(), value: z.string() })),
  }),
);
const formats = {
  calendar_event: z.object({ name: z.string(), date: z.string(), participants: z.array(z.string()) }),
  math_reasoning: z.object({ steps: z.array(Step), final_answer: z.string() }),
  research_paper: z.object({
    title: z.string(), authors: z.array(z.string()), abstract: z.string(), keywords: z.array(z.string()),
  }),
  ui: z.object({ root: UI }),
  content_compliance: z.object({
    is_violating: z.boolean(),
    category: z.enum(["violence", "sexual", "self_harm"]).nullable(),
    explanation_if_violating: z.string().nullable(),
  }),
  entities: z.object({
    attributes: z.array(z.string()), colors: z.array(z.string()), animals: z.array(z.string()),
  }),
};
const messages = [
  { role: "system", content: "Extract what the text says." },
  { role: "user", content: "Alice and Bob are going to a science fair on Friday." },
];
const GetWeather = z.object({ location: z.string(), unit: z.enum(["F", "C"]).nullable() });

test("a discriminated union is no schema's root, as the guides say", async () => {
  const union = z.discriminatedUnion("status", [
    z.object({ status: z.literal("success"), data: z.string() }),
    z.object({ status: z.literal("error"), message: z.string() }),
  ]);
  const json_schema = { name: "final_schema", strict: true, schema: z.toJSONSchema(union) };
  await assert.rejects(
    client.chat.completions.create({ model: "copy", messages, response_format: { type: "json_schema", json_schema } }),
    (error) => {
      assert.equal(error.status, 400);
      assert.equal(error.param, "response_format");
      assert.match(error.message, /Invalid schema for response_format 'final_schema': schema must be a JSON Schema of 'type: "object"'/);
      return true;
    },
  );
});

for (const [name, schema] of Object.entries(formats)) {
  test(`chat: ${name} parsed`, async () => {
    const completion = await client.chat.completions.parse({
      model: "copy", messages, response_format: zodResponseFormat(schema, name), max_completion_tokens: 700,
    });
    const { message, finish_reason } = completion.choices[0];
    assert.equal(finish_reason, "stop");
    assert.deepEqual(message.parsed, schema.parse(JSON.parse(message.content)));
  });

  test(`chat: ${name} streamed`, async () => {
    let said = "";
    const stream = client.chat.completions
      .stream({ model: "copy", messages, response_format: zodResponseFormat(schema, name), max_completion_tokens: 700 })
      .on("content.delta", ({ delta }) => (said += delta));
    const completion = await stream.finalChatCompletion();
    assert.equal(said, completion.choices[0].message.content);
    assert.deepEqual(completion.choices[0].message.parsed, schema.parse(JSON.parse(said)));
  });

  test(`responses: ${name} parsed and streamed`, async () => {
    const request = {
      model: "copy", input: messages, text: { format: zodTextFormat(schema, name) }, max_output_tokens: 700,
    };
    const response = await client.responses.parse(request);
    assert.equal(response.status, "completed");
    schema.parse(response.output_parsed);
    const stream = client.responses.stream(request);
    let said = "";
    for await (const event of stream) {
      if (event.type === "response.output_text.delta") said += event.delta;
    }
    const final = await stream.finalResponse();
    assert.equal(said, final.output_text);
    schema.parse(final.output_parsed);
  });
}

test("functions are called", async () => {
  const completion = await client.chat.completions.parse({
    model: "copy", messages, tools: [zodFunction({ name: "get_weather", parameters: GetWeather })],
    tool_choice: "required", parallel_tool_calls: false,
  });
  const call = completion.choices[0].message.tool_calls[0].function;
  assert.equal(call.name, "get_weather");
  GetWeather.parse(call.parsed_arguments);

  const response = await client.responses.parse({
    model: "copy", input: messages, tools: [zodResponsesFunction({ name: "get_weather", parameters: GetWeather })],
    tool_choice: "required",
  });
  GetWeather.parse(response.output[0].parsed_arguments);
});

test("a tool that is named is run", async () => {
  const asked = [];
  const runner = client.chat.completions.runTools({
    model: "copy", messages, max_tokens: 200, tool_choice: { type: "function", function: { name: "look_up" } },
    tools: [{
      type: "function",
      function: {
        name: "look_up", description: "Looks something up", parameters: z.toJSONSchema(z.object({ what: z.string() })),
        parse: JSON.parse,
        function: (given) => { asked.push(given); return "nothing"; },
      },
    }],
  });
  await runner.done();
  assert.equal(asked.length, 1);
  assert.equal(typeof asked[0].what, "string");
});

test("a stream that is left frees its slot", async () => {
  const schema = { type: "array", items: { enum: [1] }, minItems: 500, maxItems: 500 };
  const stream = await client.chat.completions.create({
    model: "copy", messages, stream: true, max_completion_tokens: 2000,
    response_format: { type: "json_schema", json_schema: { name: "long", schema } },
  });
  for await (const chunk of stream) {
    if (chunk.choices.length > 0) break;
  }
  const metric = async () => {
    const text = await (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${apiKey}` } })).text();
    return Number(/^warpgrammar_slots_active (.*)$/m.exec(text)[1]);
  };
  for (const until = Date.now() + 20_000; (await metric()) > 0; ) {
    assert.ok(Date.now() < until, "the slot is still taken");
  }
});

test("Azure's client", async () => {
  const azure = new AzureOpenAI({ endpoint: url, apiKey, apiVersion: "2024-10-21", maxRetries: 0 });
  const completion = await azure.chat.completions.parse({
    model: "my-deployment", messages, response_format: zodResponseFormat(formats.calendar_event, "event"),
  });
  formats.calendar_event.parse(completion.choices[0].message.parsed);
});

test("errors are the SDK's", async () => {
  const wrong = new OpenAI({ baseURL: `${url}/v1`, apiKey: "wrong", maxRetries: 0 });
  await assert.rejects(wrong.models.list(), OpenAI.AuthenticationError);
  await assert.rejects(client.models.retrieve("nobody"), OpenAI.NotFoundError);
  const colour = client.chat.completions.create({ model: "copy", messages, colour: "red" });
  await assert.rejects(colour, (error) => error.status === 400 && error.code === "unknown_parameter");
});
