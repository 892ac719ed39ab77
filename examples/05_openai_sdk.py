# OpenAI's Python SDK against `cargo run --release -- serve`:  pip install openai && python examples/05_openai_sdk.py
import os

from openai import OpenAI
from pydantic import BaseModel


class CalendarEvent(BaseModel):
    name: str
    date: str
    participants: list[str]


client = OpenAI(
    base_url=os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1"),
    api_key=os.environ.get("OPENAI_API_KEY", "none"),
)
completion = client.chat.completions.parse(
    model="copy",
    messages=[{"role": "user", "content": "Name: Science Fair\nDate: Friday\nParticipants: Alice, Bob"}],
    response_format=CalendarEvent,
)
print(completion.choices[0].message.parsed)
