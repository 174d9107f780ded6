// Requests to one server, of all calls by turns, and the checks of its answers.
import { PipiloError, Turns } from '../../base/index.ts'
import { l2Normalize } from '../../tensor/index.ts'
import { type Api, type Asked, apis, type Sent, strange } from './apis.ts'
import { type Connection, post } from './request.ts'
import type { RemoteOptions } from './types.ts'

/** Bytes that an answer has at most: a number takes less than 32 characters. */
const bytesOf = (count: number, dimensions: number | undefined) =>
  2 ** 16 + count * (dimensions ?? 65_536) * 32

/** Requests to one server, of all calls by turns. */
export class Asking {
  readonly #api: Api
  readonly #options: RemoteOptions
  readonly #connection: Connection
  readonly #turns: Turns

  constructor(url: URL, options: RemoteOptions) {
    const { api = 'openai', key, headers, timeout = 60_000, retries = 5, patience = 60_000 } = options
    this.#api = apis[api]
    this.#options = options
    this.#connection = {
      url: new URL(this.#api.path, url),
      headers: { ...(key !== undefined && { authorization: `Bearer ${key}` }), ...headers },
      timeout,
      retries,
      patience,
    }
    this.#turns = new Turns(options.concurrency ?? 4)
  }

  /**
   * Vectors of one request, all of one length.
   * @throws `Refused`, and what {@link post} throws
   */
  async vectors(
    inputs: readonly Sent[],
    {
      query,
      truncate,
      signal,
      line = inputs,
      length,
    }: Omit<Asked, 'model' | 'inputs' | 'dimensions'> & {
      readonly signal: AbortSignal | undefined
      readonly line?: object
      /** That all answers have. */
      readonly length?: number
    },
  ): Promise<{ vectors: Float32Array[]; tokens?: number }> {
    const { model, dimensions, normalize = true } = this.#options
    const body = this.#api.body({ model, inputs, dimensions, truncate, query })
    const most = bytesOf(inputs.length, length)
    const answer = await this.#turns.run(() => post(this.#connection, body, { most, signal }), { line })
    const { vectors, ...rest } = this.#api.read(answer)
    if (vectors.length !== inputs.length)
      throw strange(`it has ${vectors.length} vectors for ${inputs.length} inputs`)
    const wanted = length ?? dimensions ?? vectors[0]!.length
    for (const vector of vectors) {
      if (vector.length !== wanted) {
        throw new PipiloError(
          'DIMENSION_MISMATCH',
          `${model} gave a vector of ${vector.length} numbers in place of ${wanted}.`,
          { hint: 'The server may not heed dimensions, or has another model under that name now.' },
        )
      }
      if (!vector.every(Number.isFinite)) throw strange('a vector has numbers that are not finite')
    }
    return { vectors: normalize ? vectors.map((vector) => l2Normalize(vector)) : [...vectors], ...rest }
  }
}
