"""Small models of this folder's own, and the published ones."""

import csv

import pytest

from weft.nodeset import Space, read, types

HEADER = """<?xml version="1.0" encoding="utf-8"?>
<UANodeSet xmlns="http://opcfoundation.org/UA/2011/03/UANodeSet.xsd">
  <NamespaceUris>{uris}</NamespaceUris>
  <Models>{models}</Models>
  <Aliases>
    <Alias Alias="Double">i=11</Alias><Alias Alias="Int32">i=6</Alias>
    <Alias Alias="HasSubtype">i=45</Alias><Alias Alias="HasComponent">i=47</Alias>
    <Alias Alias="HasProperty">i=46</Alias><Alias Alias="HasTypeDefinition">i=40</Alias>
    <Alias Alias="HasModellingRule">i=37</Alias><Alias Alias="Organizes">i=35</Alias>
  </Aliases>
  {body}
</UANodeSet>"""


class Kit:
    @staticmethod
    def text(body, *, uris=("urn:a",), needs=(), published="2026-01-01", models=True):
        required = "".join(f'<RequiredModel ModelUri="{uri}" PublicationDate="{day}"/>' for uri, day in needs)
        model = f'<Model ModelUri="{uris[0]}" Version="1" PublicationDate="{published}T00:00:00Z">{required}</Model>'
        listed = "".join(f"<Uri>{uri}</Uri>" for uri in uris)
        return HEADER.format(uris=listed, models=model if models else "", body=body).encode()

    @staticmethod
    def document(body="", *, what="a.xml", **more):
        return read(Kit.text(body, **more), what)

    @staticmethod
    def node(kind, number, name, references=(), inside="", **attributes):
        """``references``: (type, target) forward, (type, target, False) the other way."""
        listed = "".join(
            f'<Reference ReferenceType="{r[0]}"{"" if len(r) == 2 else " IsForward=" + chr(34) + "false" + chr(34)}>{r[1]}</Reference>'
            for r in references
        )
        said = "".join(f' {key}="{value}"' for key, value in attributes.items())
        return (
            f'<UA{kind} NodeId="ns=1;i={number}" BrowseName="1:{name}"{said}><DisplayName>{name}</DisplayName>'
            f"<References>{listed}</References>{inside}</UA{kind}>"
        )

    @staticmethod
    def space(body, **more):
        return Space([Kit.document(body, **more)])


@pytest.fixture(scope="session")
def kit():
    return Kit


@pytest.fixture(scope="session")
def rows(reference):
    with (reference / "opcua-nodesets" / "LOAD-ORDER.tsv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture(scope="session")
def documents(reference, rows):
    folder = reference / "opcua-nodesets"
    return [read((folder / row["file"]).read_bytes(), row["file"]) for row in rows]


@pytest.fixture(scope="session")
def space(documents):
    """All published models, given the wrong way round."""
    return Space(documents[::-1])


@pytest.fixture(scope="session")
def models(space):
    """All their object types by namespace and name."""
    return {(model.namespace, model.name): model for model in types(space)}
