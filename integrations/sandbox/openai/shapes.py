"""OpenAI hands out what a model wrote in two shapes."""

from dataclasses import dataclass

from integrations.sandbox import messages
from integrations.sandbox.exchange import digest

REFUSAL = "I'm sorry, but I can't help with that request."


@dataclass(frozen=True, slots=True)
class Written:
    """A text's `status` is: completed, incomplete (cut short), refusal, failed or cancelled. `asked` and `spent` are
    tokens, `thought` those of `spent` that went into reasoning; `tag` says in which messages it comes (see
    messages)."""

    key: str
    status: str
    text: str
    asked: int
    spent: int
    thought: int = 0
    tag: str = ""
    reason: str | None = "max_output_tokens"  # why it is incomplete, if it is; None where nobody knows

    def charges(self) -> dict[str, float]:
        """A refusal and a cut answer cost their tokens, a failure costs nothing."""
        return {} if self.status in ("failed", "cancelled") else {self.key: 1}


def response(written: Written, body: dict[str, object], identifier: str, now: int) -> dict[str, object]:
    """Make the object of the Responses API. `output_text` is an SDK's convenience and not in it."""
    status = "completed" if written.status == "refusal" else written.status
    failed = status in ("failed", "cancelled")
    text = body.get("text")
    return {
        "id": identifier,
        "object": "response",
        "created_at": now,
        "completed_at": now if status == "completed" else None,
        "status": status,
        "background": False,
        "error": {"code": "server_error", "message": "The model failed to answer."} if status == "failed" else None,
        "incomplete_details": {"reason": written.reason} if status == "incomplete" and written.reason else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": body["model"],
        "output": [] if failed else messages.messages_of(_message(written, status), written.tag),
        "parallel_tool_calls": True,
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": 1.0,
        "text": text if isinstance(text, dict) else {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": {
            "input_tokens": written.asked,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 0 if failed else written.spent,
            "output_tokens_details": {"reasoning_tokens": 0 if failed else written.thought},
            "total_tokens": written.asked + (0 if failed else written.spent),
        },
        "metadata": body.get("metadata") or {},
    }


def _message(written: Written, status: str) -> dict[str, object]:
    content: dict[str, object] = (
        {"type": "refusal", "refusal": REFUSAL}
        if written.status == "refusal"
        else {"type": "output_text", "text": written.text, "annotations": [], "logprobs": []}
    )
    return {
        "id": f"msg_{digest('message', written.key, written.text):032x}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [content],
    }


def completion(written: Written, body: dict[str, object], identifier: str, now: int) -> dict[str, object]:
    """Make the object of the chat completions API."""
    refused = written.status == "refusal"
    return {
        "id": identifier,
        "object": "chat.completion",
        "created": now,
        "model": body["model"],
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": None if refused else written.text,
                    "refusal": REFUSAL if refused else None,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": "length" if written.status == "incomplete" else "stop",
            }
        ],
        "usage": {
            "prompt_tokens": written.asked,
            "completion_tokens": written.spent,
            "total_tokens": written.asked + written.spent,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": written.thought, "audio_tokens": 0},
        },
        "service_tier": "default",
    }
