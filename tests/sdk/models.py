"""The schemas that vendors' guides to structured outputs go over, as Pydantic models."""

from enum import Enum
from typing import List, Literal, Optional, Union

from pydantic import BaseModel, Field


class CalendarEvent(BaseModel):
    name: str
    date: str
    participants: list[str]


class Step(BaseModel):
    explanation: str
    output: str


class MathReasoning(BaseModel):
    steps: list[Step]
    final_answer: str


class ResearchPaper(BaseModel):
    title: str
    authors: list[str]
    abstract: str
    keywords: list[str]


class UIType(str, Enum):
    div = "div"
    button = "button"
    header = "header"
    section = "section"
    field = "field"
    form = "form"


class Attribute(BaseModel):
    name: str
    value: str


class UI(BaseModel):
    type: UIType
    label: str
    children: List["UI"]
    attributes: List[Attribute]


class Category(str, Enum):
    violence = "violence"
    sexual = "sexual"
    self_harm = "self_harm"


class ContentCompliance(BaseModel):
    is_violating: bool
    category: Optional[Category]
    explanation_if_violating: Optional[str]


class Entities(BaseModel):
    attributes: list[str]
    colors: list[str]
    animals: list[str]


class Node(BaseModel):
    value: float
    next: Optional["Node"]


class LinkedList(BaseModel):
    linked_list: Node


class User(BaseModel):
    name: str = Field(description="The name of the user")
    age: float = Field(description="The age of the user")


class Address(BaseModel):
    number: str
    street: str
    city: str


class Item(BaseModel):
    item: Union[User, Address]


class GetDeliveryDate(BaseModel):
    order_id: str


class GetWeather(BaseModel):
    """Fetches the weather in the given location"""

    location: str
    unit: Optional[Literal["F", "C"]]


# A function whose arguments nest: a query over a table.
class Operator(str, Enum):
    eq = "="
    gt = ">"
    lt = "<"
    ne = "!="


class DynamicValue(BaseModel):
    column_name: str


class Condition(BaseModel):
    column: Literal["id", "status", "expected_delivery_date", "ordered_at"]
    operator: Operator
    value: Union[str, int, DynamicValue]


class Query(BaseModel):
    table_name: Literal["orders", "customers", "products"]
    columns: list[Literal["id", "status", "expected_delivery_date", "ordered_at"]]
    conditions: list[Condition]
    order_by: Literal["asc", "desc"]


FORMATS = [
    (CalendarEvent, "Alice and Bob are going to a science fair on Friday."),
    (MathReasoning, "how can I solve 8x + 7 = -23"),
    (ResearchPaper, "Title: Slow tides. Authors: Ruth Adler, Oskar Lind. Abstract: tides are slow. Keywords: tide, lake."),
    (UI, "Make a form with a header, a field and a button."),
    (ContentCompliance, "How do I prepare for a job interview?"),
    (Entities, "The quick brown fox jumps over the lazy dog with piercing blue eyes"),
    (LinkedList, "Put 3, 14 and 15 into a list."),
    (Item, "Number: 17, Street: Quarry Lane, City: Leeds"),
]
