"""The data-ID language: one grammar for ``--id``, Python and the filter bar.

>>> from safelight.dataid import parse
>>> expression = parse("filter=HSC-I visit=903986..904014:2 ccd=16^22")
>>> expression.to_id_arguments()
['--id', 'filter=HSC-I', 'visit=903986..904014:2', 'ccd=16^22']

The grammar is drawn at the top of `safelight.dataid.grammar`.
"""

from safelight.dataid.explain import RowsInMemory, explain_empty, explain_unmatched
from safelight.dataid.expression import Constraint, DataIdExpression, Group
from safelight.dataid.grammar import ExpressionLike, parse
from safelight.dataid.select import empty_selection, in_order_of, select_rows
from safelight.dataid.typed import TypedConstraint, TypedGroup, bind, quote_column, where
from safelight.dataid.values import KeyType, Literal, Range

__all__ = [
    "Constraint",
    "DataIdExpression",
    "ExpressionLike",
    "Group",
    "KeyType",
    "Literal",
    "Range",
    "RowsInMemory",
    "TypedConstraint",
    "TypedGroup",
    "bind",
    "empty_selection",
    "explain_empty",
    "explain_unmatched",
    "in_order_of",
    "parse",
    "quote_column",
    "select_rows",
    "where",
]
