// Tries to log in to a server, once for each case of a JSON file, and prints the status that it got for each.
// Options: --cases --url --folder
"use strict";
const fs = require("fs");
const path = require("path");
const { MessageBuilderBase } = require("node-opcua-transport");
const { OPCUAClient, OPCUACertificateManager, MessageSecurityMode, SecurityPolicy, UserTokenType } = require("node-opcua");

function option(name) {
  return process.argv[process.argv.indexOf(`--${name}`) + 1];
}

// The status of an Error message reaches node-opcua's own log only; here it is kept.
let heard = "";
const report = MessageBuilderBase.prototype._report_error;
MessageBuilderBase.prototype._report_error = function (statusCode, ...rest) {
  heard = heard || statusCode.name;
  return report.call(this, statusCode, ...rest);
};

// A CreateSession request is changed on its way: without a certificate, or with somebody else's, and as
// the application that the case says.
function tamper(client, shown, uri) {
  const channel = client._secureChannel;
  const send = channel.performMessageTransaction;
  channel.performMessageTransaction = function (request, ...rest) {
    if (request.schema.name === "CreateSessionRequest") {
      if (shown) request.clientCertificate = shown === "nothing" ? null : fs.readFileSync(shown);
      request.clientDescription.applicationUri = uri;
    }
    return send.call(this, request, ...rest);
  };
}

function status(error) {
  const text = `${error.message || ""} ${error.response ? error.response.responseHeader.serviceResult.name : ""}`;
  if (text.includes("End point must exist")) return "NotOffered";
  const names = text.match(/Bad[A-Z]\w+/g) || [];
  return names.find((name) => name !== "BadUnexpectedError") || text.slice(0, 200);
}

async function attempt(url, one, manager) {
  const client = OPCUAClient.create({
    applicationUri: one.uri,
    applicationName: "Judge",
    certificateFile: one.certificate,
    privateKeyFile: one.key,
    clientCertificateManager: manager,
    securityMode: one.policy === "None" ? MessageSecurityMode.None : MessageSecurityMode.SignAndEncrypt,
    securityPolicy: SecurityPolicy[one.policy],
    endpointMustExist: false,
    transportTimeout: 10000,
    connectionStrategy: { maxRetry: 0 },
  });
  heard = "";
  try {
    await client.connect(url);
    tamper(client, one.shown, one.uri);
    const session = await client.createSession({
      type: UserTokenType.UserName, userName: "mes", password: one.password,
    });
    const value = await session.read({ nodeId: "ns=2;s=Acme/Ulm/Milling/Mill 1/Load", attributeId: 13 });
    await session.close();
    return value.statusCode.name;
  } catch (error) {
    return heard || status(error);
  } finally {
    await client.disconnect();
  }
}

async function main() {
  const manager = new OPCUACertificateManager({
    rootFolder: path.join(option("folder"), "judge"), automaticallyAcceptUnknownCertificate: true,
  });
  await manager.initialize();
  for (const one of JSON.parse(fs.readFileSync(option("cases")))) {
    console.log(JSON.stringify([one.name, await attempt(option("url"), one, manager)]));
  }
  process.exit(0);
}

main().catch((error) => { console.error(error); process.exit(1); });
