"""The syntax of one file without what moves no number, and its imports.

Left out are docstrings, comments, layout, annotations, imports, what is under ``if TYPE_CHECKING``, and the
arguments of an exception that is raised.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from bench.errors import ConfigError


def syntax_of(path: Path, module: str) -> tuple[ast.Module, list[tuple[str, str, str]], set[str]]:
    """Read one file, whose import name is ``module``.

    Returns:
        The syntax that can move a number; what is imported, wherever in the file; and the names in what was left out.
        An import is the local name ("*" for all names, "" for none), the module without leading dots, and the symbol
        that is taken from it ("" where the name is the module).

    Raises:
        ConfigError: If it is no Python.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    except (OSError, SyntaxError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as Python: {error}") from error
    stripper = _Stripper()
    stripper.visit(tree)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return tree, [name for node in stripper.imports for name in _names_bound(node, package)], stripper.dropped


def names_in(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


class _Stripper(ast.NodeTransformer):
    """Leaves out what moves no number, and notes what it has left out."""

    def __init__(self) -> None:
        self.imports: list[ast.Import | ast.ImportFrom] = []
        self.dropped: set[str] = set()
        self._in_class = False

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if not isinstance(node, ast.Module) and getattr(node, "body", None) == []:
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
        return node

    def visit_Pass(self, node: ast.Pass) -> None:  # noqa: ARG002 - comes back where nothing else is left
        return None

    def visit_Import(self, node: ast.Import) -> None:
        self.imports.append(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module != "__future__":
            self.imports.append(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        negated = isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not)
        test = node.test.operand if isinstance(node.test, ast.UnaryOp) and negated else node.test
        if getattr(test, "id", getattr(test, "attr", "")) != "TYPE_CHECKING":
            return self.generic_visit(node)
        self._drop(test)
        kept = ast.Module(node.body if negated else node.orelse, [])
        self.generic_visit(kept)
        return kept.body

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            self._drop(*node.exc.args, *node.exc.keywords)
            node.exc = node.exc.func
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        self._drop(node.annotation)
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """A field of a class keeps its name, since names and their order make a dataclass."""
        self._drop(node.annotation)
        if node.value is not None:
            return self.generic_visit(ast.Assign(targets=[node.target], value=node.value, lineno=node.lineno))
        return ast.Expr(node.target) if self._in_class else None

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._scope(node, in_class=True)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self._drop(node.returns)
        node.returns = None
        return self._scope(node, in_class=False)

    def _scope(self, node: ast.AST, *, in_class: bool) -> ast.AST:
        outer, self._in_class = self._in_class, in_class
        self.generic_visit(node)
        self._in_class = outer
        return node

    def _drop(self, *nodes: ast.AST | None) -> None:
        for node in nodes:
            self.dropped |= names_in(node) if node else set()


def _names_bound(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            first = alias.name.partition(".")[0]
            if alias.asname is None:  # ``import a.b`` binds a alone
                yield first, first, ""
            yield alias.asname or "", alias.name, ""
        return
    parts = package.split(".")
    base = parts[: len(parts) - node.level + 1] if node.level else []
    module = ".".join([*base, *([node.module] if node.module else [])])
    for alias in node.names:
        yield alias.asname or alias.name, module, alias.name
