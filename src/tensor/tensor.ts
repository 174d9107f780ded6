// Types of tensors, in memory and in files, and of matrices.

/** Every element type of ONNX (`TensorProto.DataType`), in lower case. */
export type DType =
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'float64'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'bool'
  | 'string'
  | 'complex64'
  | 'complex128'
  | 'float8e4m3fn'
  | 'float8e4m3fnuz'
  | 'float8e5m2'
  | 'float8e5m2fnuz'
  | 'float8e8m0'
  | 'uint4'
  | 'int4'
  | 'uint2'
  | 'int2'
  | 'float4e2m1'
  | 'float6e2m3'
  | 'float6e3m2'

/** Typed arrays that carry elements of a {@link Tensor}. */
export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array

/**
 * A dense tensor in row-major order.
 *
 * `data` is the typed array of the dtype's name; float16 and bfloat16 are bit patterns in a Uint16Array, bool is
 * a Uint8Array of 0 and 1, complex numbers are pairs in a float array, 8-bit floats are a Uint8Array, types below 8 bits are packed
 * in a Uint8Array as ONNX packs them, strings are an array of strings (invalid UTF-8 kept as Uint8Array).
 */
export interface Tensor {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly data: TypedArray | readonly (string | Uint8Array)[]
  /** Other fields of ONNX's TensorProto in the file it came from, kept through a round trip. */
  readonly carried?: Uint8Array
}

/** A tensor whose bytes (little endian, row-major) lie in a file, so that they need not be read into JavaScript. */
export interface FileTensor {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly file: {
    /** Absolute path. */
    readonly path: string
    /** Bytes from the start of the file. */
    readonly offset: number
    /** Length in bytes. */
    readonly length: number
  }
  /** As in {@link Tensor}. */
  readonly carried?: Uint8Array
}

/** `rows` × `columns` numbers, row-major, in one array. */
export interface Matrix {
  readonly rows: number
  readonly columns: number
  readonly data: Float32Array
}
