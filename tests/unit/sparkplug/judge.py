"""Google's protobuf (upb) as the judge of our codec: the messages of sparkplug_b.proto, built from a descriptor."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

F = descriptor_pb2.FieldDescriptorProto
KINDS = {
    "uint32": F.TYPE_UINT32,
    "uint64": F.TYPE_UINT64,
    "float": F.TYPE_FLOAT,
    "double": F.TYPE_DOUBLE,
    "bool": F.TYPE_BOOL,
    "string": F.TYPE_STRING,
    "bytes": F.TYPE_BYTES,
}
SCALARS = "uint32 int_value,uint64 long_value,float float_value,double double_value,bool boolean_value,string string_value"
ROOT = ".org.eclipse.tahu.protobuf.Payload"
# name of the message: its fields "kind name number"; * repeated, | part of the oneof "value"
MESSAGES = {
    "Payload": "uint64 timestamp 1,*Metric metrics 2,uint64 seq 3,string uuid 4,bytes body 5",
    "Payload.Metric": (
        "string name 1,uint64 alias 2,uint64 timestamp 3,uint32 datatype 4,bool is_historical 5,"
        "bool is_transient 6,bool is_null 7,MetaData metadata 8,PropertySet properties 9,"
        "|uint32 int_value 10,|uint64 long_value 11,|float float_value 12,|double double_value 13,"
        "|bool boolean_value 14,|string string_value 15,|bytes bytes_value 16,|DataSet dataset_value 17,"
        "|Template template_value 18"
    ),
    "Payload.MetaData": (
        "bool is_multi_part 1,string content_type 2,uint64 size 3,uint64 seq 4,string file_name 5,"
        "string file_type 6,string md5 7,string description 8"
    ),
    "Payload.PropertySet": "*string keys 1,*PropertyValue values 2",
    "Payload.PropertySetList": "*PropertySet propertyset 1",
    "Payload.PropertyValue": (
        "uint32 type 1,bool is_null 2,|uint32 int_value 3,|uint64 long_value 4,|float float_value 5,"
        "|double double_value 6,|bool boolean_value 7,|string string_value 8,|PropertySet propertyset_value 9,"
        "|PropertySetList propertysets_value 10"
    ),
    "Payload.DataSet": "uint64 num_of_columns 1,*string columns 2,*uint32 types 3,*DataSet.Row rows 4",
    "Payload.DataSet.Row": "*DataSet.DataSetValue elements 1",
    "Payload.DataSet.DataSetValue": (
        "|uint32 int_value 1,|uint64 long_value 2,|float float_value 3,|double double_value 4,"
        "|bool boolean_value 5,|string string_value 6"
    ),
    "Payload.Template": (
        "string version 1,*Metric metrics 2,*Template.Parameter parameters 3,string template_ref 4,"
        "bool is_definition 5"
    ),
    "Payload.Template.Parameter": (
        "string name 1,uint32 type 2,|uint32 int_value 3,|uint64 long_value 4,|float float_value 5,"
        "|double double_value 6,|bool boolean_value 7,|string string_value 8"
    ),
}


def _payload_class():
    file = descriptor_pb2.FileDescriptorProto(
        name="sparkplug_b.proto", package="org.eclipse.tahu.protobuf", syntax="proto2"
    )
    made = {}
    for path, fields in sorted(MESSAGES.items()):
        parent, _, name = path.rpartition(".")
        message = (made[parent].nested_type if parent else file.message_type).add(name=name)
        made[path] = message
        if "|" in fields:
            message.oneof_decl.add(name="value")
        for text in fields.split(","):
            kind, field, number = text.lstrip("*|").split()
            added = message.field.add(
                name=field, number=int(number), label=F.LABEL_REPEATED if text[0] == "*" else F.LABEL_OPTIONAL
            )
            if kind in KINDS:
                added.type = KINDS[kind]
            else:
                added.type, added.type_name = F.TYPE_MESSAGE, f"{ROOT}.{kind}"
            if text[0] == "|":
                added.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("org.eclipse.tahu.protobuf.Payload"))


Payload = _payload_class()
