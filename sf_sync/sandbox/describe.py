"""Describe answers: global, basic and full (protocol §2.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .schema import MASTER_RECORD_TYPE, Field, ObjectType

SOAP_TYPES = {
    "id": "tns:ID", "reference": "tns:ID", "boolean": "xsd:boolean", "int": "xsd:int", "long": "xsd:long",
    "double": "xsd:double", "currency": "xsd:double", "percent": "xsd:double", "date": "xsd:date",
    "datetime": "xsd:dateTime", "time": "xsd:time", "base64": "xsd:base64Binary", "anyType": "xsd:anyType",
    "address": "urn:address", "location": "urn:location",
}  # fmt: skip
NUMBERS = frozenset({"double", "currency", "percent"})
UNGROUPABLE = NUMBERS | {"datetime", "time", "multipicklist", "address", "location", "base64"}
UNSORTABLE = frozenset({"multipicklist", "address", "location", "base64"})
NOT_AGGREGATABLE = frozenset({"boolean", "multipicklist", "address", "location", "base64"})
PERMISSIONLESS = frozenset({"Id", "IsDeleted", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById",
                            "SystemModstamp", "Name", "LastName", "OwnerId"})  # fmt: skip


def filterable(field: Field) -> bool:
    """Whether WHERE may name the field."""
    return not field.long_text and field.type != "base64"


def sortable(field: Field) -> bool:
    """Whether ORDER BY may name the field."""
    return not field.long_text and field.type not in UNSORTABLE


def groupable(field: Field) -> bool:
    """Whether GROUP BY may name the field."""
    return not field.long_text and field.type not in UNGROUPABLE


def aggregatable(field: Field) -> bool:
    """Whether an aggregate function may name the field."""
    return not field.long_text and field.type not in NOT_AGGREGATABLE


def describe_field(field: Field) -> dict[str, Any]:
    """One element of `fields`."""
    text = SOAP_TYPES.get(field.type, "xsd:string") == "xsd:string"
    changeable = field.writable and not field.calculated
    polymorphic = len(field.references) > 1
    return {
        "aggregatable": aggregatable(field),
        "aiPredictionField": False,
        "autoNumber": field.auto_number is not None,
        "byteLength": field.length * 3 if text else field.length,
        "calculated": field.calculated,
        "calculatedFormula": field.formula,
        "cascadeDelete": False,
        "caseSensitive": False,
        "compoundFieldName": field.compound,
        "controllerName": None,
        "createable": changeable,
        "custom": field.custom,
        "defaultValue": False if field.type == "boolean" else None,
        "defaultValueFormula": None,
        "defaultedOnCreate": field.defaulted or field.name in PERMISSIONLESS - {"Name", "LastName"},
        "dependentPicklist": False,
        "deprecatedAndHidden": False,
        "digits": field.digits,
        "displayLocationInDecimal": False,
        "encrypted": False,
        "externalId": field.external_id,
        "extraTypeInfo": _extra_type(field),
        "filterable": filterable(field),
        "filteredLookupInfo": None,
        "formulaTreatNullNumberAsZero": False,
        "groupable": groupable(field),
        "highScaleNumber": False,
        "htmlFormatted": False,
        "idLookup": field.id_lookup,
        "inlineHelpText": None,
        "label": field.label,
        "length": field.length,
        "mask": None,
        "maskType": None,
        "name": field.name,
        "nameField": field.name_field,
        "namePointing": polymorphic,
        "nillable": field.nillable,
        "permissionable": field.name not in PERMISSIONLESS and field.compound != "Name",
        "picklistValues": [
            {"active": True, "defaultValue": False, "label": value, "validFor": None, "value": value}
            for value in field.values
        ],
        "polymorphicForeignKey": polymorphic,
        "precision": field.precision,
        "queryByDistance": field.type in ("address", "location"),
        "referenceTargetField": None,
        "referenceTo": list(field.references),
        "relationshipName": field.relationship,
        "relationshipOrder": None,
        "restrictedDelete": False,
        "restrictedPicklist": field.restricted,
        "scale": field.scale,
        "searchPrefilterable": field.type == "reference",
        "soapType": SOAP_TYPES.get(field.type, "xsd:string"),
        "sortable": sortable(field),
        "type": field.type,
        "unique": field.unique,
        "updateable": changeable,
        "writeRequiresMasterRead": False,
    }


def _extra_type(field: Field) -> str | None:
    if field.type == "textarea":
        return "plaintextarea"
    if field.compound == "Name" and field.name != "Name" and field.type == "string":
        return "personname"
    return "personname" if field.compound == field.name == "Name" else None


def flags(kind: ObjectType, version: str) -> dict[str, Any]:
    """What the global describe tells about an object; the full describe has it too."""
    base = f"/services/data/v{version}/sobjects/{kind.name}"
    urls = {"rowTemplate": f"{base}/{{ID}}", "describe": f"{base}/describe", "sobject": base}
    if kind.createable:
        urls |= {
            "compactLayouts": f"{base}/describe/compactLayouts",
            "approvalLayouts": f"{base}/describe/approvalLayouts",
            "layouts": f"{base}/describe/layouts",
            "quickActions": f"{base}/quickActions",
        }
    return {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": kind.createable,
        "custom": kind.name.endswith("__c"),
        "customSetting": False,
        "deepCloneable": False,
        "deletable": kind.deletable and kind.createable,
        "deprecatedAndHidden": False,
        "extendedBy": None,
        "extendsInterfaces": None,
        "feedEnabled": kind.createable,
        "hasSubtypes": False,
        "implementedBy": None,
        "implementsInterfaces": None,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": kind.prefix,
        "label": kind.label,
        "labelPlural": kind.label_plural,
        "layoutable": kind.createable,
        "mergeable": kind.mergeable,
        "mruEnabled": kind.createable,
        "name": kind.name,
        "queryable": True,
        "replicateable": kind.replicateable,
        "retrieveable": True,
        "searchable": kind.createable,
        "triggerable": kind.createable,
        "undeletable": kind.deletable and kind.createable,
        "updateable": kind.createable,
        "urls": urls,
    }


def describe_global(kinds: Iterable[ObjectType], version: str) -> dict[str, Any]:
    """The list of all objects that the user may see."""
    return {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [flags(kind, version) for kind in kinds]}


def describe_object(kind: ObjectType, kinds: Mapping[str, ObjectType], version: str) -> dict[str, Any]:
    """Everything about one object."""
    return {
        "actionOverrides": [],
        "childRelationships": list(_child_relationships(kind, kinds.values())),
        "compactLayoutable": kind.createable,
        "defaultImplementation": None,
        "fields": [describe_field(field) for field in kind.visible],
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": list(_record_types(kind, version)),
        "searchLayoutable": kind.createable,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [{"label": f"All {kind.label_plural.lower()}", "name": "everything"}],
        **flags(kind, version),
    }


def _record_types(kind: ObjectType, version: str) -> Iterable[dict[str, Any]]:
    for name, record_type in {**kind.record_types, "Master": MASTER_RECORD_TYPE}.items():
        master = record_type == MASTER_RECORD_TYPE
        layout = f"/services/data/v{version}/sobjects/{kind.name}/describe/layouts/{record_type}"
        yield {
            "active": True,
            "available": True,
            "defaultRecordTypeMapping": record_type == kind.default_record_type,
            "developerName": name,
            "master": master,
            "name": name.replace("_", " "),
            "recordTypeId": record_type,
            "urls": {"layout": layout},
        }


def _child_relationships(kind: ObjectType, kinds: Iterable[ObjectType]) -> Iterable[dict[str, Any]]:
    for child in kinds:
        for field in child.visible:
            if kind.name in field.references:
                yield {
                    "cascadeDelete": False,
                    "childSObject": child.name,
                    "deprecatedAndHidden": False,
                    "field": field.name,
                    "junctionIdListNames": [],
                    "junctionReferenceTo": [],
                    "relationshipName": child.children.get(field.name),
                    "restrictedDelete": False,
                }
