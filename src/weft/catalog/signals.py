"""Signals: what a type, an asset and a list say about each, put together and checked."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any, Final

import msgspec

from weft.catalog.connections import Line, Lines
from weft.catalog.draft import Draft, Layer
from weft.catalog.findings import nearest
from weft.catalog.folder import Folder, Place
from weft.catalog.forms import SignalForm
from weft.catalog.formulas import Formula, Formulas
from weft.catalog.header import check_retention
from weft.catalog.hierarchy import Described, Hierarchy, Template
from weft.catalog.mistakes import TYPES, mistakes
from weft.catalog.placeholders import BadPlaceholder, fill
from weft.catalog.rows import CsvRow
from weft.catalog.shape import convert
from weft.model import Limits, Signal, ValueType
from weft.model.expression import BadExpression, parse
from weft.model.sources import DERIVED
from weft.model.values import NUMERIC

__all__ = ["MOST", "Signals"]

MOST: Final = 250_000


class Signals:
    """Gathers the layers of every signal, then makes the signals. Handles are given later: 0 until then."""

    def __init__(
        self, folder: Folder, hierarchy: Hierarchy, types: dict[str, Template], lines: Lines
    ) -> None:
        self._folder = folder
        self._findings = folder.findings
        self._hierarchy = hierarchy
        self._types = types
        self._lines = lines
        self._rows: dict[str, dict[str, CsvRow]] = {}
        self._used: dict[str, set[str]] = {}
        self.formerly: dict[str, str] = {}
        self._renames: dict[str, Place] = {}
        self._formulas: dict[tuple[str, str], Formula] = {}
        self.paths: set[str] = set()

    def add_row(self, row: CsvRow) -> None:
        path = self._hierarchy.full(row.asset)
        self._hierarchy.add(path)
        rows = self._rows.setdefault(path, {})
        described = self._hierarchy.described.get(path)
        if row.name in rows:
            self._twice(row, path, rows[row.name].place)
        elif described is not None and row.name in described.form.signals:
            self._twice(row, path, described.place("signals", row.name))
        else:
            rows[row.name] = row

    def _twice(self, row: CsvRow, path: str, first: Place) -> None:
        file, line = first
        self._findings.error(
            row.place,
            f"The signal '{row.asset}/{row.name}' is described in {file}:{line} already.",
            "Keep one.",
        )

    def make(self) -> dict[str, Signal]:
        """Every sound signal by path, in the order of assets; whatever is wrong is a finding."""
        signals: dict[str, Signal] = {}
        for asset in list(self._hierarchy):
            described = self._hierarchy.described.get(asset)
            for name, layers in self._layers(asset, described).items():
                signal = self._signal(asset, name, layers, described)
                if signal is not None:
                    signals[signal.path] = signal
            if described is not None:
                self._unused(asset, described)
        if len(signals) > MOST:
            self._findings.error(("signals/", 0), f"{len(signals):,} signals; at most {MOST:,} in one plant.")
        self._check_renames(signals)
        return signals

    def resolve(self, signals: dict[str, Signal], formulas: Formulas) -> None:
        """Full paths in what is derived and in interlocks; nothing is derived from itself."""
        for (path, key), formula in self._formulas.items():
            signal = signals.get(path)
            if signal is None:
                continue
            text = formulas.resolved(formula)
            if key == "derive":
                signals[path] = msgspec.structs.replace(signal, derive=text)
            elif signal.write is not None:
                rails = msgspec.structs.replace(signal.write, interlock=text)
                signals[path] = msgspec.structs.replace(signal, write=rails)
        formulas.check_cycles({path: f.place for (path, key), f in self._formulas.items() if key == "derive"})

    def _layers(self, asset: str, described: Described | None) -> dict[str, list[Layer]]:
        """By name, what goes first on top: the asset's own word or list's row, then the type's."""
        layers: dict[str, list[Layer]] = {}
        template = self._types.get(described.form.type) if described else None
        if template is not None:
            for name, form in template.form.signals.items():
                layers[name] = [Layer(form, template.document, ("signals", name))]
        if described is not None:
            for name, form in described.form.signals.items():
                layers.setdefault(name, []).insert(0, Layer(form, described, ("signals", name)))
        for name, row in self._rows.get(asset, {}).items():
            layers.setdefault(name, []).insert(0, Layer(row.form, row, text=True))
        return layers

    def _signal(
        self, asset: str, name: str, layers: list[Layer], described: Described | None
    ) -> Signal | None:
        path = f"{asset}/{name}"
        if path in self._hierarchy:
            self._findings.error(
                layers[0].place(), f"{path!r} is an asset and a signal.", "Rename one of them."
            )
            return None
        self.paths.add(path)
        draft = Draft(layers, asset, described)
        form = draft.merged()
        self._check(draft, form)
        known = self._known(asset, name, described)
        filled = self._filled(draft, form, known, asset)
        self._note_formulas(path, draft, form, known)
        if form.derive is not None:
            self._note_rename(path, draft, form)
            return None if filled is None else self._made(path, DERIVED, None, form, filled[1], asset)
        line = self._line(draft, form)
        if line is None or filled is None:
            return None
        address = self._address(draft, filled[0], line)
        self._note_rename(path, draft, form)
        return None if address is None else self._made(path, line.name, address, form, filled[1], asset)

    def _note_formulas(self, path: str, draft: Draft, form: SignalForm, known: dict[str, Any]) -> None:
        asset = path.rpartition("/")[0]
        texts = {"derive": form.derive, "write": form.write.interlock if form.write else None}
        for key, text in texts.items():
            with suppress(BadExpression):  # a finding already
                if text:
                    self._used.setdefault(asset, set()).update(parse(text).signals)
                    self._formulas[path, key] = Formula(text, draft.place(key), asset, known)

    def _note_rename(self, path: str, draft: Draft, form: SignalForm) -> None:
        asset, _, name = path.rpartition("/")
        old = self._hierarchy.full(form.was) if form.was else f"{self._hierarchy.formerly(asset)}/{name}"
        if old != path:
            self.formerly[path] = old
            self._renames[path] = draft.place("was")

    def _made(
        self, path: str, connection: str, address: Any, form: SignalForm, description: str, asset: str
    ) -> Signal:
        described = self._hierarchy.described.get(asset)
        template = self._types.get(described.form.type) if described else None
        own = template.form if template else None
        retention = next(
            (
                days
                for days in (form.retention, own.retention if own else None, self._hierarchy.retention(asset))
                if days is not None
            ),
            math.inf,
        )
        kind = TYPES.get(form.type or "")
        return Signal(
            handle=0,
            path=path,
            connection=connection,
            address=address,
            description=description,
            type=kind,
            unit=form.unit or "",
            scale=1.0 if form.scale is None else form.scale,
            offset=form.offset or 0.0,
            limits=form.limits or Limits(),
            states=form.states or {},
            step=_steps(form, kind) if form.step is None else form.step,
            deadband=form.deadband or 0.0,
            silence=form.silence,
            deviation=form.deviation or 0.0,
            rate=form.rate,
            stuck=form.stuck,
            derive=form.derive or "",
            write=form.write.model() if form.write else None,
            semantic=form.semantic or "",
            owner=form.owner or (own.owner if own else None) or self._hierarchy.owner(asset),
            retention=None if math.isinf(retention) else retention,
        )

    def _check(self, draft: Draft, form: SignalForm) -> None:
        for mistake in mistakes(form):
            report = self._findings.warn if mistake.mild else self._findings.error
            report(draft.place(mistake.key), mistake.message, mistake.remedy)
        check_retention(form.retention, draft.place("retention"), self._findings)

    def _known(self, asset: str, name: str, described: Described | None) -> dict[str, Any]:
        template = self._types.get(described.form.type) if described else None
        return {
            **(template.form.parameters if template else {}),
            **(described.form.parameters if described else {}),
            "asset": asset.rpartition("/")[2],
            "path": asset,
            "signal": name,
        }

    def _filled(
        self, draft: Draft, form: SignalForm, known: dict[str, Any], asset: str
    ) -> tuple[dict[str, Any], str] | None:
        """(address, description) with placeholders filled in, or None when one is bad."""
        used = self._used.setdefault(asset, set())
        address: dict[str, Any] = {}
        sound = True
        for key, value in (form.address or {}).items():
            try:
                address[key] = fill(value, known, used)
            except BadPlaceholder as error:
                self._findings.error(draft.place("address", key), error.message, error.remedy)
                sound = False
        try:
            description = str(fill(form.description or "", known, used))
        except BadPlaceholder as error:
            self._findings.error(draft.place("description"), error.message, error.remedy)
            return None
        return (address, description) if sound else None

    def _line(self, draft: Draft, form: SignalForm) -> Line | None:
        name = draft.connection(form)
        if not name:
            message = "No connection: neither the signal nor its asset names one."
            self._findings.error(draft.asset_place(), message, 'Add connection = "…".')
            return None
        line = self._lines.found.get(name)
        if line is None and name not in self._lines.broken:
            known = nearest(name, self._lines.found, label="Connections are")
            message, remedy = f"There is no connection {name!r}.", known or f"Make connections/{name}.toml."
            if name in self._lines.empty:
                message = f"The connection {name!r} is all comments."
                remedy = f"Fill in {self._lines.empty[name]}."
            self._findings.error(draft.connection_place(), message, remedy)
        return line

    def _address(self, draft: Draft, address: dict[str, Any], line: Line) -> Any:
        strict = not draft.text
        value, problems = convert(address, line.address, f"an address over {line.protocol}", strict=strict)
        for problem in problems:
            self._findings.error(draft.place("address", *problem.path), problem.message, problem.remedy)
        return value

    def _unused(self, asset: str, described: Described) -> None:
        """A parameter that no placeholder asked for is a slip of the pen."""
        template = self._types.get(described.form.type)
        if template is None or f"types/{described.form.type}" in self._folder.broken:
            return
        for key in described.form.parameters:
            if key not in self._used.get(asset, set()):
                remedy = nearest(key, template.form.parameters) if template.form.parameters else ""
                self._findings.warn(
                    described.place("parameters", key),
                    f"No placeholder asks for the parameter {key!r}.",
                    remedy,
                )

    def _check_renames(self, signals: dict[str, Signal]) -> None:
        for path, old in self.formerly.items():
            if old in signals:
                message = f"'was' of {path!r} names {old!r}, which is a signal of today."
                self._findings.error(self._renames[path], message, "Take 'was' out.")


def _steps(form: SignalForm, kind: ValueType | None) -> bool:
    """Between two states, truths or texts there is nothing in the middle."""
    return bool(form.states) or (kind is not None and (kind not in NUMERIC or kind is ValueType.BOOLEAN))
