// Loads NodeSet2 files in the order given and prints, as JSON in the last line, what its address space holds by namespace.
"use strict";
const { AddressSpace } = require("node-opcua-address-space");
const { NodeClass } = require("node-opcua-data-model");
const { generateAddressSpace } = require("node-opcua-address-space/nodeJS");

// Paths of the variables below an object, as "uri|name/uri|name".
function variables(space, node, above, met, found) {
  for (const child of node.findReferencesExAsObject ? node.findReferencesExAsObject("HierarchicalReferences") : []) {
    const name = child.browseName, key = child.nodeId.toString();
    if (met.has(key)) continue;
    const path = [...above, `${space.getNamespaceUri(name.namespaceIndex)}|${name.name}`];
    if (child.nodeClass === NodeClass.Variable) found.push(path.join("/"));
    if (child.nodeClass !== NodeClass.Method) variables(space, child, path, new Set([...met, key]), found);
  }
  return found;
}

function instance(space, type, number) {
  try {
    const object = type.instantiate({ browseName: `made${number}`, organizedBy: space.rootFolder.objects });
    return variables(space, object, [], new Set(), []);
  } catch (error) {
    return null; // it refuses: nothing to compare
  }
}

async function main() {
  const space = AddressSpace.create();
  await generateAddressSpace(space, process.argv.slice(2));
  const found = {};
  for (const namespace of space.getNamespaceArray()) {
    const counts = {}, types = [];
    for (const node of namespace.nodeIterator()) {
      const kind = NodeClass[node.nodeClass];
      counts[kind] = (counts[kind] || 0) + 1;
      if (kind === "ObjectType") {
        const above = node.subtypeOfObj;
        types.push({ id: node.nodeId.value, name: node.browseName.name, above: above ? above.browseName.name : null, node });
      }
    }
    found[namespace.namespaceUri] = { counts, types };
  }
  space.registerNamespace("urn:made");
  let number = 0;
  for (const { types } of Object.values(found)) {
    for (const type of types) {
      type.variables = type.node.isAbstract ? null : instance(space, type.node, number++);
      delete type.node;
    }
  }
  process.stdout.write(`\n${JSON.stringify(found)}\n`, () => process.exit(0));
}

main().catch((error) => { console.error(String(error)); process.exit(1); });
