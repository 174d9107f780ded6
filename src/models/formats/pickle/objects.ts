// Objects that PyTorch's pickles name: tensors, storages, dtypes, and the functions that rebuild them.
import { bytesPerElement, type DType } from '../../../tensor/index.ts'
import { Known, Opaque, type Vocabulary } from './unpickle.ts'

/** Bytes that tensors share, by the key under which the file holds them. */
export interface Storage {
  readonly key: string
  readonly dtype: DType
  /** Length in bytes. */
  readonly length: number
  /** First byte within the bytes of its key (views of old files). */
  readonly start: number
}

/** A tensor of a pickle: a view of a storage. Sizes and strides in elements. */
export class TorchTensor {
  readonly storage: Storage
  readonly dtype: DType
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]

  constructor(
    storage: Storage,
    dtype: DType,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
  ) {
    this.storage = storage
    this.dtype = dtype
    this.offset = offset
    this.shape = shape
    this.strides = strides
  }
}

/** A torch.dtype, or the class of a storage, which stands for one. */
class TorchType extends Known {
  /** Undefined for bytes of no type. */
  readonly dtype: DType | undefined

  constructor(name: string, dtype: DType | undefined) {
    super(name)
    this.dtype = dtype
  }
}

const STORAGES: Readonly<Record<string, DType | undefined>> = {
  'torch.FloatStorage': 'float32',
  'torch.DoubleStorage': 'float64',
  'torch.HalfStorage': 'float16',
  'torch.BFloat16Storage': 'bfloat16',
  'torch.LongStorage': 'int64',
  'torch.IntStorage': 'int32',
  'torch.ShortStorage': 'int16',
  'torch.CharStorage': 'int8',
  'torch.ByteStorage': 'uint8',
  'torch.BoolStorage': 'bool',
  'torch.ComplexFloatStorage': 'complex64',
  'torch.ComplexDoubleStorage': 'complex128',
  'torch.storage.UntypedStorage': undefined,
}

const DTYPES: Readonly<Record<string, DType>> = {
  float32: 'float32',
  float64: 'float64',
  float16: 'float16',
  bfloat16: 'bfloat16',
  int64: 'int64',
  int32: 'int32',
  int16: 'int16',
  int8: 'int8',
  uint64: 'uint64',
  uint32: 'uint32',
  uint16: 'uint16',
  uint8: 'uint8',
  bool: 'bool',
  complex64: 'complex64',
  complex128: 'complex128',
  float8_e4m3fn: 'float8e4m3fn',
  float8_e4m3fnuz: 'float8e4m3fnuz',
  float8_e5m2: 'float8e5m2',
  float8_e5m2fnuz: 'float8e5m2fnuz',
  float8_e8m0fnu: 'float8e8m0',
}

/** The functions that are carried out, by us: those of dictionaries and tensors. `undefined` stands for wrong arguments. */
const FUNCTIONS: Readonly<Record<string, (args: readonly unknown[]) => unknown>> = {
  'collections.OrderedDict': mapOf,
  'collections.Counter': mapOf,
  'collections.defaultdict': ([, items]) => mapOf(items === undefined ? [] : [items]),
  'builtins.dict': mapOf,
  'torch.Size': ([sizes = []]) => (isSizes(sizes) ? sizes : undefined),
  'torch._utils._rebuild_tensor': ([storage, offset, shape, strides]) =>
    tensorOf(storage, undefined, offset, shape, strides),
  'torch._utils._rebuild_tensor_v2': ([storage, offset, shape, strides, _grad, _hooks, marks]) =>
    marked(marks) ?? tensorOf(storage, undefined, offset, shape, strides),
  'torch._utils._rebuild_tensor_v3': ([storage, offset, shape, strides, _grad, _hooks, dtype, marks]) =>
    dtype instanceof TorchType && dtype.dtype
      ? (marked(marks) ?? tensorOf(storage, dtype.dtype, offset, shape, strides))
      : undefined,
  'torch._utils._rebuild_parameter': ([data]) => data,
  'torch._utils._rebuild_parameter_with_state': ([data]) => data,
  // A tensor that was given attributes of its own. Other classes may mean other numbers.
  'torch._tensor._rebuild_from_type_v2': ([make, type, args]) =>
    make instanceof Known &&
    make.name.startsWith('torch._utils._rebuild') &&
    type instanceof Opaque &&
    TENSOR_TYPES.has(type.name) &&
    Array.isArray(args)
      ? make.call?.(args)
      : new Opaque(
          `torch._tensor._rebuild_from_type_v2 of ${type instanceof Opaque ? type.name : 'no class'}`,
        ),
}

/** A tensor whose numbers are not those of its storage: a view of PyTorch's that is negated or conjugated when it is read. */
function marked(marks: unknown): Opaque | undefined {
  const names = marks instanceof Map ? [...marks].flatMap(([name, is]) => (is ? [String(name)] : [])) : []
  return names.length > 0
    ? new Opaque(`torch._utils._rebuild_tensor_v2 (${names.join(', ').slice(0, 100)})`)
    : undefined
}

/** Classes whose tensors are plain ones. */
const TENSOR_TYPES: ReadonlySet<string> = new Set([
  'torch.Tensor',
  'torch._tensor.Tensor',
  'torch.nn.parameter.Parameter',
  'torch.nn.parameter.Buffer',
])

/** Most axes that a tensor has, in PyTorch as well. */
const MOST_AXES = 64

/** True of a value under a parameter's name that stands for numbers of a kind that is not read here. */
export function isUnreadTensor(name: string, value: unknown): value is Opaque {
  if (!(value instanceof Opaque)) return false
  // A numpy array beside the parameters is no parameter; one with a parameter's name may be.
  return (
    /^torch\.(?:_utils\._rebuild|_tensor\.|sparse)/.test(value.name) ||
    (name.includes('.') && /^numpy\..*\b(?:_reconstruct|_frombuffer)$/.test(value.name))
  )
}

const known = new Map<string, Known>()
for (const [name, call] of Object.entries(FUNCTIONS)) {
  known.set(name, new Known(name, call))
  // Python 2's name of the same module.
  if (name.startsWith('builtins.')) known.set(name.replace('builtins', '__builtin__'), new Known(name, call))
}
for (const [name, dtype] of Object.entries(STORAGES)) {
  known.set(name, new TorchType(name, dtype))
  known.set(name.replace('torch.', 'torch.cuda.'), new TorchType(name, dtype))
}
for (const [name, dtype] of Object.entries(DTYPES)) {
  known.set(`torch.${name}`, new TorchType(`torch.${name}`, dtype))
}

/** The vocabulary of `torch.save`; `storages` collects the storages by their keys. */
export function torchVocabulary(storages: Map<string, Storage>): Vocabulary {
  return {
    find: (name) => known.get(name),
    persistent(id) {
      // A whole network, in the format before PyTorch 1.6, with the text of its class.
      if (Array.isArray(id) && id[0] === 'module' && id[1] instanceof Opaque) return id[1]
      if (!Array.isArray(id) || id[0] !== 'storage') return undefined
      const [, type, key, , count, view] = id as unknown[]
      // Of a kind of numbers that is not read here; what is built of it is not, either.
      if (type instanceof Opaque) return type
      if (!(type instanceof TorchType) || typeof key !== 'string' || !isSize(count)) return undefined
      const dtype = type.dtype ?? 'uint8'
      const width = bytesPerElement(dtype)
      const whole: Storage = { key, dtype, length: count * width, start: 0 }
      storages.set(key, storages.get(key) ?? whole)
      if (!Array.isArray(view)) return whole
      const [, offset, size] = view as unknown[]
      if (!isSize(offset) || !isSize(size)) return undefined
      return { ...whole, start: offset * width, length: size * width }
    },
  }
}

/** Lists that became dictionaries: each does so once, as in all files that Python writes, so that copying is bounded by the file. */
const copied = new WeakSet<object>()

function mapOf([items = []]: readonly unknown[]): unknown {
  if (items instanceof Map) return items
  if (!Array.isArray(items) || copied.has(items)) return undefined
  copied.add(items)
  if (!items.every((pair) => Array.isArray(pair) && pair.length === 2)) return undefined
  return new Map(items as [unknown, unknown][])
}

function tensorOf(
  storage: unknown,
  dtype: DType | undefined,
  offset: unknown,
  shape: unknown,
  strides: unknown,
) {
  if (storage instanceof Opaque) return new Opaque(`torch._utils._rebuild_tensor of ${storage.name}`)
  if (!isStorage(storage) || !isSize(offset) || !isSizes(shape) || !isSizes(strides)) return undefined
  if (shape.length !== strides.length) return undefined
  return new TorchTensor(storage, dtype ?? storage.dtype, offset, shape, strides)
}

function isStorage(value: unknown): value is Storage {
  return typeof value === 'object' && value !== null && 'key' in value && 'start' in value
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= MOST_AXES && value.every(isSize)
}
