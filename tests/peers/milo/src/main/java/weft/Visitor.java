package weft;

import java.io.FileInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.eclipse.milo.opcua.sdk.client.OpcUaClient;
import org.eclipse.milo.opcua.sdk.client.api.identity.UsernameProvider;
import org.eclipse.milo.opcua.sdk.client.subscriptions.ManagedDataItem;
import org.eclipse.milo.opcua.sdk.client.subscriptions.ManagedSubscription;
import org.eclipse.milo.opcua.stack.core.AttributeId;
import org.eclipse.milo.opcua.stack.core.security.SecurityPolicy;
import org.eclipse.milo.opcua.stack.core.types.builtin.DataValue;
import org.eclipse.milo.opcua.stack.core.types.builtin.LocalizedText;
import org.eclipse.milo.opcua.stack.core.types.builtin.NodeId;
import org.eclipse.milo.opcua.stack.core.types.builtin.StatusCode;
import org.eclipse.milo.opcua.stack.core.types.builtin.Variant;
import org.eclipse.milo.opcua.stack.core.types.enumerated.MessageSecurityMode;
import org.eclipse.milo.opcua.stack.core.types.enumerated.TimestampsToReturn;

/** Visits a server signed and encrypted: browses, reads, monitors, writes. Arguments: url certificate key password uri */
public final class Visitor {
  private static final String MILL = "Acme/Ulm/Milling/Mill 1";

  private static PrivateKey key(String path) throws Exception {
    String pem = Files.readString(Path.of(path)).replaceAll("-----[A-Z ]+-----", "").replaceAll("\\s", "");
    return KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
  }

  private static void say(String what, Object found) {
    System.out.println(what + "\t" + found);
    System.out.flush();
  }

  public static void main(String[] given) throws Exception {
    X509Certificate certificate;
    try (FileInputStream file = new FileInputStream(given[1])) {
      certificate = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(file);
    }
    KeyPair pair = new KeyPair(certificate.getPublicKey(), key(given[2]));
    OpcUaClient client = OpcUaClient.create(given[0],
        endpoints -> endpoints.stream()
            .filter(one -> one.getSecurityPolicyUri().equals(SecurityPolicy.Basic256Sha256.getUri()))
            .filter(one -> one.getSecurityMode() == MessageSecurityMode.SignAndEncrypt).findFirst(),
        config -> config.setApplicationName(LocalizedText.english("Milo")).setApplicationUri(given[4])
            .setCertificate(certificate).setKeyPair(pair)
            .setIdentityProvider(new UsernameProvider("mes", given[3])).build());
    client.connect().get(20, TimeUnit.SECONDS);
    StringBuilder names = new StringBuilder();
    client.getAddressSpace().browseNodes(new NodeId(2, MILL)).forEach(node -> names.append(node.getBrowseName().getName()).append(' '));
    say("signals", names.toString().trim());
    NodeId load = new NodeId(2, MILL + "/Load");
    DataValue value = client.readValue(0, TimestampsToReturn.Both, load).get();
    say("load", value.getValue().getValue() + " " + value.getSourceTime().getUtcTime());
    say("type", client.getAddressSpace().getVariableNode(load).getDataType().toParseableString());
    watch(client, load);
    StatusCode written = client.writeValue(new NodeId(2, MILL + "/Speed"), DataValue.valueOnly(new Variant(21))).get();
    say("written", Long.toHexString(written.getValue()));
    StatusCode refused = client.writeValue(load, DataValue.valueOnly(new Variant(2.5))).get();
    say("refused", Long.toHexString(refused.getValue()));
    client.disconnect().get(5, TimeUnit.SECONDS);
    System.exit(0);
  }

  private static void watch(OpcUaClient client, NodeId node) throws Exception {
    ManagedSubscription subscription = ManagedSubscription.create(client, 50.0);
    CountDownLatch both = new CountDownLatch(2);
    StringBuilder values = new StringBuilder();
    subscription.addDataChangeListener((items, changes) -> {
      for (DataValue change : changes) {
        values.append(change.getValue().getValue()).append(' ');
        if (both.getCount() == 2) say("listening", "");
        both.countDown();
      }
    });
    ManagedDataItem item = subscription.createDataItem(node);
    say("created", Long.toHexString(item.getStatusCode().getValue()));
    both.await(20, TimeUnit.SECONDS);
    say("monitored", values.toString().trim());
    subscription.delete();
  }
}
