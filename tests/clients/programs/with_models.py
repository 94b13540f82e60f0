"""Reads real answers with the models that datamodel-code-generator generates, in one of three flavours."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import generated_models as models
import msgspec


def main(flavour: str, *files: str) -> None:
    """Read each file as the model that it is named after, and write it again; nothing must be lost."""
    for path in map(Path, files):
        content = msgspec.json.decode(path.read_bytes())
        model: Any = getattr(models, path.stem)
        for each in content if isinstance(content, list) else [content]:
            again = written(flavour, model, each)
            assert again == each, f"{again}\n{each}"


def written(flavour: str, model: Any, content: dict[str, Any]) -> Any:
    """Read an object as a model, and return it as it is written again."""
    match flavour:
        case "pydantic":
            return model.model_validate(content).model_dump(mode="json", by_alias=True, exclude_unset=True)
        case "msgspec":
            return msgspec.to_builtins(msgspec.convert(content, model))
        case _:
            names = {field.name for field in dataclasses.fields(model)} & content.keys()  # some are optional
            made = dataclasses.asdict(model(**{name: content[name] for name in names}))
            return {name: made[name] for name in names}


if __name__ == "__main__":
    main(*sys.argv[1:])
