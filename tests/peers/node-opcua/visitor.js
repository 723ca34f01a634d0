// Visits a server signed and encrypted: browses, reads, monitors, writes, calls. Prints one line of JSON for each.
// Options: --url --certificate --key --folder --password --uri
"use strict";
const path = require("path");
const {
  OPCUAClient, OPCUACertificateManager, MessageSecurityMode, SecurityPolicy, UserTokenType, AttributeIds,
  DataType, Variant, ClientSubscription, ClientMonitoredItem, TimestampsToReturn, browseAll, makeBrowsePath,
} = require("node-opcua");

const option = (name) => process.argv[process.argv.indexOf(`--${name}`) + 1];
const say = (what, found) => console.log(JSON.stringify({ what, found }));
const MILL = "ns=2;s=Acme/Ulm/Milling/Mill 1";

async function names(session, nodeId, most) {
  const result = await browseAll(session, {
    nodeId, browseDirection: 0, referenceTypeId: "i=33", includeSubtypes: true, nodeClassMask: 0, resultMask: 63,
  });
  return result.references.map((one) => one.browseName.toString());
}

async function monitored(session) {
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: 50, requestedLifetimeCount: 1000, requestedMaxKeepAliveCount: 20,
    maxNotificationsPerPublish: 1000, publishingEnabled: true,
  });
  const item = await subscription.monitor(
    { nodeId: `${MILL}/Load`, attributeId: AttributeIds.Value },
    { samplingInterval: 0, queueSize: 10, discardOldest: true }, TimestampsToReturn.Both);
  const values = [];
  await new Promise((done) => item.on("changed", (value) => {
    values.push([value.value.value, value.statusCode.value, value.sourceTimestamp.toISOString()]);
    if (values.length === 1) console.log(JSON.stringify({ what: "listening" }));
    if (values.length === 3) done();
  }));
  await subscription.terminate();
  return values;
}

async function main() {
  const manager = new OPCUACertificateManager({
    rootFolder: path.join(option("folder"), "visitor"), automaticallyAcceptUnknownCertificate: true,
  });
  await manager.initialize();
  const client = OPCUAClient.create({
    applicationName: "Visitor", certificateFile: option("certificate"), privateKeyFile: option("key"),
    clientCertificateManager: manager, securityMode: MessageSecurityMode.SignAndEncrypt,
    securityPolicy: SecurityPolicy.Aes256_Sha256_RsaPss, connectionStrategy: { maxRetry: 1 },
  });
  await client.connect(option("url"));
  const session = await client.createSession({
    type: UserTokenType.UserName, userName: "mes", password: option("password"),
  });
  say("places", await names(session, "ns=2;s=Acme/Ulm"));
  say("signals", await names(session, MILL));
  const load = await session.read({ nodeId: `${MILL}/Load`, attributeId: AttributeIds.Value });
  say("load", [load.value.value, DataType[load.value.dataType], load.sourceTimestamp.toISOString()]);
  const unit = await session.translateBrowsePath(makeBrowsePath(`${MILL}/Load`, ".EngineeringUnits"));
  const information = await session.read({ nodeId: unit.targets[0].targetId, attributeId: AttributeIds.Value });
  say("unit", [information.value.value.displayName.text, information.value.value.unitId]);
  const many = await session.browse({ nodeId: "i=85", browseDirection: 0, resultMask: 63 });
  say("objects", many.references.length);
  say("monitored", await monitored(session));
  const write = async (name, dataType, value) => (await session.write({
    nodeId: `${MILL}/${name}`, attributeId: AttributeIds.Value, value: { value: { dataType, value } },
  })).name;
  say("written", [
    await write("Speed", DataType.Int32, 11), await write("Speed", DataType.Double, 1.5),
    await write("Load", DataType.Double, 1.5), await write("Nothing", DataType.Double, 1.5),
  ]);
  const called = await session.call({
    objectId: "ns=2;s=Acme/Ulm", methodId: "ns=2;s=Acme/Ulm#WriteWithReason",
    inputArguments: [
      { dataType: DataType.String, value: "Acme/Ulm/Milling/Mill 1/Speed" },
      { dataType: DataType.Int32, value: 12 }, { dataType: DataType.String, value: "warm-up" },
    ],
  });
  say("called", called.statusCode.name);
  await session.close();
  await client.disconnect();
  process.exit(0);
}

main().catch((error) => { console.error(error); process.exit(1); });
