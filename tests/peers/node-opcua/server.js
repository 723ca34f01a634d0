// A server with values of several types and counters that are written on command. Options: --folder, --reverse PORT (it calls there),
// --certificate FILE and --key FILE (a PEM with its issuers behind it)
// Prints its port when it is ready; a line "count NODES VALUES FIRST" on stdin is answered with "done".
"use strict";
const path = require("path");
const readline = require("readline");
const { OPCUAServer, OPCUACertificateManager, MessageSecurityMode, SecurityPolicy, DataType, Variant, VariantArrayType, StatusCodes, standardUnits, Range, nodesets } = require("node-opcua");

async function main() {
  const folder = process.argv[process.argv.indexOf("--folder") + 1];
  const certificates = new OPCUACertificateManager({ automaticallyAcceptUnknownCertificate: true, rootFolder: path.join(folder, "pki") });
  const option = (name) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined);
  const reverse = option("--reverse");
  const own_certificate = option("--certificate") ? { certificateFile: option("--certificate"), privateKeyFile: option("--key") } : {};
  const server = new OPCUAServer({
    ...own_certificate,
    ...(reverse ? { reverseConnect: { connections: [{ endpointUrl: `opc.tcp://127.0.0.1:${reverse}` }], reconnectDelay: 200 }, serverInfo: { applicationUri: "urn:peer:node" } } : {}),
    port: 0,
    nodeset_filename: [nodesets.standard, path.join(__dirname, "pose.xml")],
    resourcePath: "",
    hostname: "127.0.0.1",
    alternateHostname: ["127.0.0.1"],
    serverCertificateManager: certificates,
    allowAnonymous: true,
    serverCapabilities: { minSupportedSampleRate: 0 }, // every change counts, however fast they come
    securityModes: [MessageSecurityMode.None, MessageSecurityMode.SignAndEncrypt],
    securityPolicies: [SecurityPolicy.None, SecurityPolicy.Basic256Sha256, SecurityPolicy.Aes256_Sha256_RsaPss],
    buildInfo: { productName: "node peer", buildNumber: "1" },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const own = space.registerNamespace("urn:node:plant");
  const machine = own.addObject({ organizedBy: space.rootFolder.objects, browseName: "Machine", nodeId: "s=Machine" });
  const variable = (name, dataType, value, arrayType) => {
    const node = own.addVariable({ componentOf: machine, browseName: name, nodeId: `s=${name}`, dataType, valueRank: arrayType ? 1 : -1 });
    node.setValueFromSource(new Variant({ dataType, value, arrayType: arrayType || VariantArrayType.Scalar }));
    return node;
  };
  variable("Boolean", DataType.Boolean, true);
  variable("Int32", DataType.Int32, -12);
  variable("UInt64", DataType.UInt64, [0xffffffff, 0xffffffff]);
  variable("Float", DataType.Float, 0.5);
  variable("String", DataType.String, "000123");
  variable("Guid", DataType.Guid, "72962B91-FA75-4AE6-8D28-B404DC7DAF63");
  variable("Bytes", DataType.ByteString, Buffer.from([0, 255]));
  variable("Text", DataType.LocalizedText, { text: "Guten Tag", locale: "de" });
  variable("Doubles", DataType.Double, new Float64Array([1, 2.5]), VariantArrayType.Array);
  const grid = own.addVariable({ componentOf: machine, browseName: "Grid", nodeId: "s=Grid", dataType: DataType.Double, valueRank: 2, arrayDimensions: [2, 2] });
  grid.setValueFromSource(new Variant({ dataType: DataType.Double, arrayType: VariantArrayType.Matrix, dimensions: [2, 2], value: new Float64Array([1, 2, 3, 5]) }));
  const span = own.addVariable({ componentOf: machine, browseName: "Span", nodeId: "s=Span", dataType: "Range" });
  span.setValueFromSource(new Variant({ dataType: DataType.ExtensionObject, value: new Range({ low: 1, high: 2 }) }));
  const levels = own.addEnumerationType({ browseName: "Levels", enumeration: ["low", "high"] });
  const level = own.addVariable({ componentOf: machine, browseName: "Level", nodeId: "s=Level", dataType: levels });
  level.setValueFromSource(new Variant({ dataType: DataType.Int32, value: 0 }));
  variable("When", DataType.DateTime, new Date(0));
  const pose = space.findDataType("Pose", space.getNamespaceIndex("urn:node:pose"));
  const posed = own.addVariable({ componentOf: machine, browseName: "Pose", nodeId: "s=Pose", dataType: pose });
  posed.setValueFromSource(new Variant({ dataType: DataType.ExtensionObject, value: space.constructExtensionObject(pose, { name: "home", codes: [7, -1] }) }));
  space.installAlarmsAndConditionsService();
  const area = own.addObject({ organizedBy: space.rootFolder.objects, browseName: "Area", nodeId: "s=Area", eventNotifier: 1, notifierOf: space.rootFolder.objects.server });
  const pump = own.addObject({ componentOf: area, browseName: "Pump", nodeId: "s=Pump", eventSourceOf: area });
  const pressure = variable("Pressure", DataType.Double, 5);
  const alarm = own.instantiateExclusiveLimitAlarm("ExclusiveLimitAlarmType", { browseName: "PressureHigh", conditionName: "PressureHigh",
    componentOf: pump, conditionSource: pump, inputNode: pressure, lowLowLimit: -10, lowLimit: 1, highLimit: 10, highHighLimit: 100,
    optionals: ["ConfirmedState", "Confirm"] });
  alarm.setEnabledState(true);
  const method = own.addMethod(machine, { browseName: "Double", nodeId: "s=Double",
    inputArguments: [{ name: "n", dataType: DataType.UInt32 }], outputArguments: [{ name: "twice", dataType: DataType.UInt32 }] });
  method.bindMethod((inputs, context, done) => done(null, { statusCode: StatusCodes.Good, outputArguments: [{ dataType: DataType.UInt32, value: inputs[0].value * 2 }] }));
  variable("Failed", DataType.Double, 0).setValueFromSource(new Variant({ dataType: DataType.Double, value: 1 }), StatusCodes.BadSensorFailure);
  own.addAnalogDataItem({ componentOf: machine, browseName: "Temperature", nodeId: "s=Temperature", dataType: DataType.Double,
    engineeringUnitsRange: { low: 0, high: 100 }, engineeringUnits: standardUnits.degree_celsius,
    value: new Variant({ dataType: DataType.Double, value: 21.5 }) });
  const counters = [];
  for (let i = 0; i < 10; i++) counters.push(variable(`counter${i}`, DataType.Int32, -1));
  await server.start();
  console.log(`port ${server.endpoints[0].port}`);
  let ticking;
  readline.createInterface({ input: process.stdin }).on("line", async (line) => {
    const [, nodes, values, first] = line.split(" ").map(Number);
    if (line.startsWith("pressure")) {
      pressure.setValueFromSource(new Variant({ dataType: DataType.Double, value: nodes }));
      return console.log("done");
    }
    if (line.startsWith("tick")) {
      const [, interval, ticked] = line.split(" ").map(Number);
      let value = 0;
      clearInterval(ticking);
      ticking = setInterval(() => {
        for (const counter of counters.slice(0, ticked)) counter.setValueFromSource(new Variant({ dataType: DataType.Int32, value }));
        value++;
      }, interval);
      return console.log("done");
    }
    for (let value = first; value < first + values; value++) {
      for (const counter of counters.slice(0, nodes)) counter.setValueFromSource(new Variant({ dataType: DataType.Int32, value }));
      await new Promise(setImmediate);
    }
    console.log("done");
  });
}

main().catch((error) => { console.error(String(error)); process.exit(1); });
