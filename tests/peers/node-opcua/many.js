// A server with many variables, every tenth with a unit and a range. Options: --folder --count --slow (ms a Browse takes)
// Prints its port when it is ready.
"use strict";
const path = require("path");
const { OPCUAServer, OPCUACertificateManager, MessageSecurityMode, SecurityPolicy, DataType, standardUnits } = require("node-opcua");

function option(name, otherwise) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
}

async function main() {
  const count = Number(option("count", 1000));
  const server = new OPCUAServer({
    port: Number(option("port", 0)),
    resourcePath: "",
    hostname: "127.0.0.1",
    alternateHostname: ["127.0.0.1"],
    serverCertificateManager: new OPCUACertificateManager({ rootFolder: path.join(option("folder"), "pki") }),
    securityModes: [MessageSecurityMode.None],
    securityPolicies: [SecurityPolicy.None],
    buildInfo: { productName: "many", manufacturerName: option("maker", "node-opcua") },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const own = space.registerNamespace("urn:node:many");
  const root = own.addFolder(space.rootFolder.objects, { browseName: "Many" });
  let folder;
  for (let i = 0; i < count; i++) {
    if (i % 1000 === 0) folder = own.addFolder(root, { browseName: `Folder${i / 1000}` });
    const common = { componentOf: folder, browseName: `Tag${i}`, nodeId: `s=Tag${i}`, dataType: DataType.Double, minimumSamplingInterval: 100 };
    if (i % 10 === 0) {
      own.addAnalogDataItem({ ...common, engineeringUnitsRange: { low: 0, high: i + 1 }, engineeringUnits: standardUnits.degree_celsius, value: { dataType: DataType.Double, value: i } });
    } else {
      own.addVariable({ ...common, value: { dataType: DataType.Double, value: i } });
    }
  }
  await server.start();
  console.log(`port ${server.endpoints[0].port}`);
}

main().catch((error) => { console.error(String(error)); process.exit(1); });
