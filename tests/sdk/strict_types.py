"""Holds a JSON value against a vendor's pydantic types, strictly.

The SDKs parse leniently (unknown fields are kept, wrong values only warn in a type checker), because a client has to
survive a newer server. A test wants the opposite: what the declared types do not say is a fault.
"""

import types
import typing

import pydantic

UNIONS = (typing.Union, types.UnionType)


def faults(annotation, value, path="", null_allowed=lambda path: True):
    """What is wrong with `value` as `annotation`, as a list of `path: reason`; empty if nothing is.

    `null_allowed(path)` can forbid a null that the type would take."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return faults(args[0], value, path, null_allowed)
    if annotation in (typing.Any, object):
        return []
    if origin in UNIONS:
        return union_faults(args, value, path, null_allowed)
    if value is None:
        return [] if annotation in (None, type(None)) and null_allowed(path) else [f"{path}: null"]
    if origin is typing.Literal:
        # The type as well: in Python 1 == True and 24000 == 24000.0, in JSON they differ.
        same = any(type(value) is type(arg) and value == arg for arg in args)
        return [] if same else [f"{path}: {short(value)} is none of {short(list(args))}"]
    if origin is list:
        if type(value) is not list:
            return [f"{path}: {short(value)} is no array"]
        return [f for i, item in enumerate(value) for f in faults(args[0], item, f"{path}[{i}]", null_allowed)]
    if origin is dict:
        if type(value) is not dict:
            return [f"{path}: {short(value)} is no object"]
        return [f for key, item in value.items() for f in faults(args[1], item, join(path, key), null_allowed)]
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return model_faults(annotation, value, path, null_allowed)
    wanted = (int, float) if annotation is float else (annotation,)
    return [] if type(value) in wanted else [f"{path}: {short(value)} is no {annotation.__name__}"]


def model_faults(model, value, path, null_allowed):
    if type(value) is not dict:
        return [f"{path}: {short(value)} is no object"]
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    found = [f"{join(path, key)}: unknown field" for key in value if key not in fields]
    for key, field in fields.items():
        if key in value:
            found += faults(field.annotation, value[key], join(path, key), null_allowed)
        # `type` has a default in Deepgram's models, but without it nobody could tell what the message is.
        elif field.is_required() or key == "type" and field.default is not None:
            found.append(f"{join(path, key)}: missing")
    return found


def union_faults(members, value, path, null_allowed):
    members = [m for arg in members for m in flatten(arg)]
    if value is None:
        return [] if type(None) in members and null_allowed(path) else [f"{path}: null"]
    members = [m for m in members if m is not type(None)]
    # `Literal[...] | Any` is how an open enum is written; today's values are the ones that are documented.
    if any(typing.get_origin(m) is typing.Literal for m in members):
        members = [m for m in members if m is not typing.Any]
    if isinstance(value, dict):
        members = [m for m in members if same_kind(m, value)] or members
    attempts = [faults(member, value, path, null_allowed) for member in members]
    return min(attempts, key=len)


def flatten(annotation):
    """The members of a union within a union, which is how `Optional[Annotated[Union[…], …]]` comes."""
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in UNIONS:
        return [m for arg in typing.get_args(annotation) for m in flatten(arg)]
    return [annotation]


def same_kind(member, value):
    """Whether the member's `type` and `role` are the value's: its faults are then the ones to report."""
    if not (isinstance(member, type) and issubclass(member, pydantic.BaseModel)):
        return False
    for key in ("type", "role"):
        field = member.model_fields.get(key)
        literals = [] if field is None else [m for m in flatten(field.annotation) if m is not type(None)]
        if literals and faults(typing.Union[tuple(literals)], value.get(key)):
            return False
    return True


def join(path, key):
    return f"{path}.{key}" if path else key


def short(value):
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
