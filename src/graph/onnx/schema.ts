/**
 * The messages of ONNX's file format: field numbers by the specification's names (onnx.proto, IR version 14).
 *
 * A field that is not listed, and one that only passes through (`device_configurations`, `training_info`, …), is kept
 * as the bytes that were read and written back behind the fields that are known.
 */

import type { DType } from '../../tensor/index.ts'
import type { Attribute } from '../types.ts'

export const MODEL = {
  ir_version: 1,
  producer_name: 2,
  producer_version: 3,
  doc_string: 6,
  graph: 7,
  opset_import: 8,
  metadata_props: 14,
  functions: 25,
} as const

export const GRAPH = {
  node: 1,
  name: 2,
  initializer: 5,
  doc_string: 10,
  input: 11,
  output: 12,
  value_info: 13,
  sparse_initializer: 15,
} as const

export const NODE = {
  input: 1,
  output: 2,
  name: 3,
  op_type: 4,
  attribute: 5,
  doc_string: 6,
  domain: 7,
  overload: 8,
  metadata_props: 9,
} as const

export const ATTRIBUTE = {
  name: 1,
  f: 2,
  i: 3,
  s: 4,
  t: 5,
  g: 6,
  floats: 7,
  ints: 8,
  strings: 9,
  tensors: 10,
  graphs: 11,
  doc_string: 13,
  tp: 14,
  type_protos: 15,
  type: 20,
  ref_attr_name: 21,
  sparse_tensor: 22,
  sparse_tensors: 23,
} as const

export const FUNCTION = {
  name: 1,
  input: 4,
  output: 5,
  attribute: 6,
  node: 7,
  doc_string: 8,
  opset_import: 9,
  domain: 10,
  attribute_proto: 11,
  value_info: 12,
  overload: 13,
  metadata_props: 14,
} as const

export const TENSOR = {
  dims: 1,
  data_type: 2,
  float_data: 4,
  int32_data: 5,
  string_data: 6,
  int64_data: 7,
  name: 8,
  raw_data: 9,
  double_data: 10,
  uint64_data: 11,
  external_data: 13,
  data_location: 14,
} as const

export const SPARSE_TENSOR = { values: 1, indices: 2, dims: 3 } as const

export const VALUE_INFO = { name: 1, type: 2, doc_string: 3, metadata_props: 4 } as const

export const TYPE = {
  tensor_type: 1,
  sequence_type: 4,
  map_type: 5,
  sparse_tensor_type: 8,
  optional_type: 9,
} as const

/** TypeProto.Tensor, and alike TypeProto.SparseTensor. */
export const TENSOR_TYPE = { elem_type: 1, shape: 2 } as const

/** TypeProto.Sequence, and alike TypeProto.Optional. */
export const ELEMENT_TYPE = { elem_type: 1 } as const

export const MAP_TYPE = { key_type: 1, value_type: 2 } as const

export const SHAPE = { dim: 1 } as const

export const DIMENSION = { dim_value: 1, dim_param: 2 } as const

/** StringStringEntryProto, and with a number for the value OperatorSetIdProto. */
export const ENTRY = { key: 1, value: 2 } as const

/** `TensorProto.DataLocation.EXTERNAL` */
export const EXTERNAL = 1

/** `TensorProto.DataType`: the dtype of each number. */
export const DTYPES: readonly (DType | undefined)[] = [
  undefined,
  'float32',
  'uint8',
  'int8',
  'uint16',
  'int16',
  'int32',
  'int64',
  'string',
  'bool',
  'float16',
  'float64',
  'uint32',
  'uint64',
  'complex64',
  'complex128',
  'bfloat16',
  'float8e4m3fn',
  'float8e4m3fnuz',
  'float8e5m2',
  'float8e5m2fnuz',
  'uint4',
  'int4',
  'float4e2m1',
  'float8e8m0',
  'uint2',
  'int2',
  'float6e2m3',
  'float6e3m2',
]

/** The number of a dtype in ONNX's files and in attributes such as `Cast`'s `to`. */
export function dataType(dtype: DType): number {
  return DTYPES.indexOf(dtype)
}

/** The dtype of a number of `TensorProto.DataType`, if it is one. */
export function dtypeOf(dataType: number): DType | undefined {
  return DTYPES[dataType]
}

/** `AttributeProto.AttributeType`: the tag of each number. */
export const ATTRIBUTE_TYPES: readonly (Attribute['type'] | undefined)[] = [
  undefined,
  'float',
  'int',
  'string',
  'tensor',
  'graph',
  'floats',
  'ints',
  'strings',
  'tensors',
  'graphs',
  'sparse_tensor',
  'sparse_tensors',
  'type_proto',
  'type_protos',
]
