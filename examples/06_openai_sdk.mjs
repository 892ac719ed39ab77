// OpenAI's Node SDK against `cargo run --release -- serve`:  npm install openai zod && node examples/06_openai_sdk.mjs
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const Event = z.object({ name: z.string(), date: z.string(), participants: z.array(z.string()) });
const client = new OpenAI({
  baseURL: process.env.OPENAI_BASE_URL ?? "http://127.0.0.1:8000/v1",
  apiKey: process.env.OPENAI_API_KEY ?? "none",
});
const stream = client.responses.stream({
  model: "copy",
  input: "Name: Science Fair\nDate: Friday\nParticipants: Alice, Bob",
  text: { format: zodTextFormat(Event, "event") },
});
stream.on("response.output_text.delta", ({ delta }) => process.stdout.write(delta));
const response = await stream.finalResponse();
console.log("\n", response.output_parsed);
