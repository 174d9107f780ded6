// Reads and writes TypeProto: tensors, sequences, maps, optional values.
import type { CarriedType, Dimension, Shape, ValueType } from '../types.ts'
import { DIMENSION, DTYPES, dataType, ELEMENT_TYPE, MAP_TYPE, SHAPE, TENSOR_TYPE, TYPE } from './schema.ts'
import { eachField, type MessageWriter, type Span } from './wire.ts'

/** Reads a TypeProto; undefined if it says nothing. What {@link ValueType} has no place for becomes `opaque`. */
export function readType(message: Span): ValueType | undefined {
  let type: ValueType | undefined
  let known = true
  const outer = eachField(message, {
    [TYPE.tensor_type]: (field) => {
      type = readTensorType('tensor', field.span())
      known &&= type !== undefined
    },
    [TYPE.sparse_tensor_type]: (field) => {
      type = readTensorType('sparse_tensor', field.span())
      known &&= type !== undefined
    },
    [TYPE.sequence_type]: (field) => {
      type = readElementType('sequence', field.span())
      known &&= type !== undefined
    },
    [TYPE.optional_type]: (field) => {
      type = readElementType('optional', field.span())
      known &&= type !== undefined
    },
    [TYPE.map_type]: (field) => {
      type = readMapType(field.span())
      known &&= type !== undefined
    },
  })
  if (!type || !known) {
    const { source, start, end } = message
    return end > start ? { kind: 'opaque', bytes: source.read(start, end).slice() } : undefined
  }
  return outer ? { ...type, carried: { ...type.carried, type: outer } } : type
}

function readTensorType(kind: 'tensor' | 'sparse_tensor', message: Span): ValueType | undefined {
  let number = 0
  let shape: Shape | undefined
  let carried: CarriedType | undefined
  const inner = eachField(message, {
    [TENSOR_TYPE.elem_type]: (field) => {
      number = field.number53()
    },
    [TENSOR_TYPE.shape]: (field) => {
      const read = readShape(field.span())
      shape = read.shape
      carried = read.carried
    },
  })
  const dtype = DTYPES[number]
  if (!dtype) return undefined
  const all = inner ? { ...carried, inner } : carried
  return { kind, dtype, ...(shape && { shape }), ...(all && { carried: all }) }
}

function readShape(message: Span): { shape: Shape; carried: CarriedType | undefined } {
  const shape: Dimension[] = []
  const dimensions: (Uint8Array | undefined)[] = []
  const rest = eachField(message, {
    [SHAPE.dim]: (field) => {
      let size: Dimension = ''
      dimensions.push(
        eachField(field.span(), {
          [DIMENSION.dim_value]: (value) => {
            const number = value.number53()
            // Some exporters write -1 for what is free (PaddlePaddle's).
            size = number < 0 ? '' : number
          },
          [DIMENSION.dim_param]: (value) => {
            const name = value.string()
            // Names that name nothing: two of them may be of different sizes.
            size = /^(\W*|None)$/.test(name) ? '' : name
          },
        }),
      )
      shape.push(size)
    },
  })
  const some = dimensions.some((bytes) => bytes !== undefined)
  if (!rest && !some) return { shape, carried: undefined }
  return { shape, carried: { ...(rest && { shape: rest }), ...(some && { dimensions }) } }
}

function readElementType(kind: 'sequence' | 'optional', message: Span): ValueType | undefined {
  let element: ValueType | undefined
  const inner = eachField(message, {
    [ELEMENT_TYPE.elem_type]: (field) => {
      element = readType(field.span())
    },
  })
  return element && { kind, element, ...(inner && { carried: { inner } }) }
}

function readMapType(message: Span): ValueType | undefined {
  let number = 0
  let value: ValueType | undefined
  const inner = eachField(message, {
    [MAP_TYPE.key_type]: (field) => {
      number = field.number53()
    },
    [MAP_TYPE.value_type]: (field) => {
      value = readType(field.span())
    },
  })
  const key = DTYPES[number]
  return key && value && { kind: 'map', key, value, ...(inner && { carried: { inner } }) }
}

const TYPE_FIELDS = {
  tensor: TYPE.tensor_type,
  sparse_tensor: TYPE.sparse_tensor_type,
  sequence: TYPE.sequence_type,
  optional: TYPE.optional_type,
  map: TYPE.map_type,
} as const

/** Writes the fields of a TypeProto. */
export function writeType(writer: MessageWriter, type: ValueType): void {
  if (type.kind === 'opaque') {
    writer.raw(type.bytes)
    return
  }
  writer.message(TYPE_FIELDS[type.kind], (inner) => {
    switch (type.kind) {
      case 'tensor':
      case 'sparse_tensor': {
        const { shape } = type
        inner.int(TENSOR_TYPE.elem_type, dataType(type.dtype))
        if (shape) inner.message(TENSOR_TYPE.shape, (message) => writeShape(message, shape, type.carried))
        break
      }
      case 'sequence':
      case 'optional':
        inner.message(ELEMENT_TYPE.elem_type, (message) => writeType(message, type.element))
        break
      case 'map':
        inner.int(MAP_TYPE.key_type, dataType(type.key))
        inner.message(MAP_TYPE.value_type, (message) => writeType(message, type.value))
    }
    inner.raw(type.carried?.inner)
  })
  writer.raw(type.carried?.type)
}

function writeShape(writer: MessageWriter, shape: Shape, carried: CarriedType | undefined): void {
  // A pass may have given the value another rank; what was said about single dimensions is then void.
  const rest = carried?.dimensions?.length === shape.length ? carried.dimensions : undefined
  for (const [i, size] of shape.entries()) {
    writer.message(SHAPE.dim, (message) => {
      if (typeof size === 'number') message.int(DIMENSION.dim_value, size)
      else message.string(DIMENSION.dim_param, size)
      message.raw(rest?.[i])
    })
  }
  writer.raw(carried?.shape)
}
