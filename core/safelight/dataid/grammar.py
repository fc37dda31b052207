"""Reading a data-ID expression.

::

    expression  = group { "or" group }
    group       = { constraint } | "*"                     nothing, or *: everything
    constraint  = KEY "=" value { "^" value }              one of the values
                | KEY "!=" value { "^" value }             none of the values
                | KEY (">=" | "<=" | ">" | "<") literal    text compares as text, so dates work
                | KEY "~" glob { "^" glob }                * ? [a-z] [!a-z], case counts
    value       = literal | A..B | A..B:S                  both ends included, digits only

Constraints are separated by white space and hold together; quotes keep white space in a value (``field='M 31'``). A
group is what one ``--id`` takes. A key may stand once per operator, so ``expTime>=30 expTime<60`` is a band while
``visit=1 visit=2`` is refused. On a shell, constraints with ``>``, ``<``, ``~`` or ``*`` need quotes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from safelight.dataid.expression import EVERYTHING, GROUP_SEPARATOR, Constraint, DataIdExpression, Group, Span
from safelight.dataid.values import Literal, Range, Value
from safelight.dataid.words import Word, join_words, split_text
from safelight.errors import DataIdError

__all__ = ["parse"]

_CONSTRAINT = re.compile(r"(?P<key>[A-Za-z_][A-Za-z0-9_]*)(?P<operator>>=|<=|!=|=|>|<|~)(?P<rest>.*)", re.DOTALL)
_RANGE = re.compile(r"([0-9]{1,30})\.\.([0-9]{1,30})(?::([0-9]{1,30}))?")

#: Operators that take several values, and those of them that take ranges.
_LISTING = frozenset({"=", "!=", "~"})
_RANGING = frozenset({"=", "!="})

ExpressionLike = str | Sequence[str] | Sequence[Sequence[str]] | Mapping[str, object] | DataIdExpression


def parse(expression: ExpressionLike) -> DataIdExpression:
    """Read an expression from one line of text, the words of one ``--id``, the words of several, or a mapping.

    Parameters
    ----------
    expression : str, sequence of str, sequence of sequences of str, mapping, or DataIdExpression
        ``"visit=1 ccd=2"``, ``["visit=1", "ccd=2"]``, ``[["visit=1"], ["ccd=2"]]`` or ``{"visit": 1, "ccd": 2}``.
        Without any word it selects everything.

    Raises
    ------
    DataIdError
        Codes MALFORMED, REPEATED_KEY, DESCENDING_RANGE, ZERO_STRIDE; its `span` says where in the text.
    """
    if isinstance(expression, DataIdExpression):
        return expression
    if isinstance(expression, Mapping):
        return _from_mapping(expression)
    if isinstance(expression, str):
        return DataIdExpression(tuple(_groups(split_text(expression))))
    if all(isinstance(word, str) for word in expression):
        return DataIdExpression(tuple(_groups(join_words([str(word) for word in expression]))))
    groups: list[Group] = []
    offset = 0
    for words in expression:
        listed = [words] if isinstance(words, str) else list(words)
        groups += _groups(join_words(listed, offset))
        offset += sum(len(word) + 1 for word in listed)
    return DataIdExpression(tuple(groups))


def _from_mapping(data_id: Mapping[str, object]) -> DataIdExpression:
    """One group of equalities; values that the grammar would read otherwise (with ``^`` or ``..``) are refused."""
    group = parse([f"{key}={value}" for key, value in data_id.items()]).groups[0]
    for constraint, value in zip(group.constraints, data_id.values(), strict=True):
        if constraint.values != (Literal(str(value)),):
            raise DataIdError(
                "MALFORMED",
                f"{constraint.key} has the value {value!r}, which is not one literal value.",
                "Write a list or a range in an expression: parse('ccd=1^2').",
            )
    return DataIdExpression((group,))


def _groups(words: Sequence[Word]) -> list[Group]:
    parts: list[list[Word]] = [[]]
    separators: list[Word] = []
    for word in words:
        if word.text.lower() == GROUP_SEPARATOR and not word.quoted:
            parts.append([])
            separators.append(word)
        elif word.text:
            parts[-1].append(word)
    for index, separator in enumerate(separators):
        if not parts[index] or not parts[index + 1]:
            side = "before" if not parts[index] else "after"
            raise DataIdError(
                "MALFORMED",
                f"Nothing stands {side} {separator.text!r}.",
                f"Write a constraint there, or {EVERYTHING} for everything.",
                span=separator.span(),
            )
    return [_group(part) for part in parts]


def _group(words: Sequence[Word]) -> Group:
    if [word.text for word in words] == [EVERYTHING]:
        return Group()
    constraints: list[Constraint] = []
    for word in words:
        constraint = _constraint(word)
        for other in constraints:
            if (other.key, other.operator) == (constraint.key, constraint.operator):
                _refuse_repetition(other, constraint)
        constraints.append(constraint)
    return Group(tuple(constraints))


def _refuse_repetition(first: Constraint, second: Constraint) -> None:
    if first.operator in _LISTING:
        joined = "^".join(map(str, first.values + second.values))
        hint = f"Join the values with ^: {first.key}{first.operator}{joined}."
    else:
        hint = f"Keep one of {first} and {second}."
    raise DataIdError("REPEATED_KEY", f"{second.key}{second.operator} stands twice.", hint, span=second.span)


def _constraint(word: Word) -> Constraint:
    match = _CONSTRAINT.fullmatch(word.text)
    if match is None:
        raise _malformed_word(word)
    key, operator, rest = match["key"], match["operator"], match["rest"]
    start = match.start("rest")
    if rest.startswith("="):
        raise DataIdError(
            "MALFORMED",
            f"{word.text!r} has {operator}= where {operator} is meant.",
            f"Write {key}{operator}{rest.lstrip('=')}.",
            span=word.span(match.start("operator"), start + 1),
        )
    texts = rest.split("^") if operator in _LISTING else [rest]
    values: list[Value] = []
    spans: list[Span] = []
    for text in texts:
        span = word.span(start, start + len(text))
        values.append(_range_or_literal(key, operator, text, span) if operator in _RANGING else Literal(text))
        spans.append(span)
        start += len(text) + 1
    if operator not in _LISTING:
        _check_bound(key, operator, rest, spans[0])
    return Constraint(key, operator, tuple(values), word.span(), word.span(0, len(key)), tuple(spans))


def _check_bound(key: str, operator: str, text: str, span: Span) -> None:
    """A comparison takes exactly one literal."""
    if not text or "^" in text or _RANGE.fullmatch(text):
        raise DataIdError(
            "MALFORMED",
            f"{key}{operator} takes one value, not {text!r}.",
            f"Write {key}{operator}VALUE, or {key}=V1^V2 or {key}=A..B for several values.",
            span=span,
        )


def _range_or_literal(key: str, operator: str, text: str, span: Span) -> Value:
    match = _RANGE.fullmatch(text)
    if match is None:
        return Literal(text)
    start, stop, stride = int(match[1]), int(match[2]), int(match[3] or 1)
    if stride == 0:
        raise DataIdError(
            "ZERO_STRIDE",
            f"The range {text} of {key} has the stride 0.",
            f"Write {key}{operator}{start}..{stop}, or a stride of 1 or more.",
            span=span,
        )
    if start > stop:
        raise DataIdError(
            "DESCENDING_RANGE",
            f"The range {text} of {key} runs downwards and would select nothing.",
            f"Write {key}{operator}{Range(stop, start, stride)}.",
            span=span,
        )
    return Range(start, stop, stride)


def _malformed_word(word: Word) -> DataIdError:
    text = word.text
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        message = f"{text!r} has no value."
        hint = f"Write {text}=VALUE, without spaces around the operator."
    elif re.match(r"[=<>!~]", text):
        message = f"{text!r} has no key before the operator."
        hint = "Write KEY=VALUE, without spaces around the operator."
    else:
        message = f"{text!r} is not a constraint."
        hint = "Write KEY=VALUE, KEY=V1^V2, KEY=A..B:S, KEY>=VALUE or KEY~GLOB."
    return DataIdError("MALFORMED", message, hint, span=word.span())
