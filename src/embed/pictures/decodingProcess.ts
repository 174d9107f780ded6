// Has pictures decoded in a child process, which is ended when one takes too long: librsvg cannot be stopped otherwise, nor can OpenJPEG.
import type { ChildProcess } from 'node:child_process'
import { forkFile, hearLastWords, keepAlive } from '../../base/files/index.ts'
import { abortError, onAbort, PipiloError, type PipiloErrorJSON, Turns } from '../../base/index.ts'
import type { RawImage } from '../types.ts'
import type { Made, Making } from './decode.ts'
import { capital } from './imageSource.ts'

/** One picture, and what is made of it. */
export interface DecodingOrder {
  readonly name: string
  readonly data: Uint8Array
  readonly making: Making
  readonly maxPixels: number
  /** Bytes of memory that the child may take. */
  readonly memory: number
}

/** The child's messages: `ready` once; to an order `made` and its parts, `failed` (the picture is at fault), `broken`, or `memory`. */
export type FromDecodingChild =
  | { readonly kind: 'ready' | 'memory' }
  | { readonly kind: 'made'; readonly length: number; readonly shape?: Omit<RawImage, 'data'> }
  | { readonly kind: 'part'; readonly data: Uint8Array }
  | { readonly kind: 'failed'; readonly error: PipiloErrorJSON }
  | { readonly kind: 'broken'; readonly why: string }

/** Milliseconds that a child may take to start, on a machine that has much else to do. */
const PATIENCE = 60_000

/** How errors speak of pictures of one kind. */
interface Kind {
  /** With its article. */
  readonly name: string
  readonly verb: readonly [present: string, past: string]
  readonly hint: string
}

/**
 * A child process that decodes one picture at a time, all of one kind. It is started when first needed, does not keep this process alive, and ends with it, or when it has had
 * nothing to do for a while.
 */
export class DecodingProcess {
  /** Milliseconds of one picture, from its start; bytes of the child's memory; milliseconds after which an idle child is ended. */
  limits = { time: 20_000, memory: 3 * 2 ** 29, idle: 10_000 }
  readonly #kind: Kind
  readonly #turns = new Turns(1)
  #child: ChildProcess | undefined
  #idle: NodeJS.Timeout | undefined
  #lastWords = () => ''

  constructor(kind: Kind) {
    this.#kind = kind
  }

  /**
   * Decodes when its turn has come; those of one signal are one caller's, and wait in a line.
   *
   * @param more milliseconds that this one may take besides
   * @throws PipiloError `IMAGE_TOO_LARGE` for what takes too long or too much memory; `IMAGE_INVALID` for what ends the process that decodes it;
   *   `RUNTIME` where none can be started; `ABORTED`; what `decodeHere` throws
   */
  decode(order: Omit<DecodingOrder, 'memory'>, signal?: AbortSignal, more = 0): Promise<Made> {
    return this.#turns.run(() => this.#decode(order, signal, more), signal && { line: signal, signal })
  }

  async #decode(
    order: Omit<DecodingOrder, 'memory'>,
    signal: AbortSignal | undefined,
    more: number,
  ): Promise<Made> {
    const { time, memory, idle } = this.limits
    clearTimeout(this.#idle)
    const child = this.#child ?? (await this.#start(order.name, signal))
    this.#child = child
    keepAlive(child, 'ref')
    try {
      const made = await this.#ask(child, { ...order, memory }, time + more, signal)
      if (made instanceof PipiloError) throw made
      return made
    } finally {
      if (this.#child === child) {
        keepAlive(child, 'unref')
        this.#idle = setTimeout(() => this.#end(child), idle).unref()
      }
    }
  }

  /** A result, or the error of a picture that cannot be decoded, after which the child goes on. */
  async #ask(
    child: ChildProcess,
    order: DecodingOrder,
    time: number,
    signal: AbortSignal | undefined,
  ): Promise<Made | PipiloError> {
    const { name, verb, hint } = this.#kind
    const subject = `${capital(order.name)} is ${name}`
    const tooLarge = (what: string) =>
      new PipiloError('IMAGE_TOO_LARGE', `${subject} that takes more than ${what} to ${verb[0]}.`, {
        input: order.name,
        hint,
      })
    let data = new Uint8Array()
    let shape: Omit<RawImage, 'data'> | undefined
    let filled = 0
    const heed = (message: FromDecodingChild): Made | PipiloError | undefined => {
      switch (message.kind) {
        case 'made':
          data = new Uint8Array(message.length)
          shape = message.shape
          return undefined
        case 'part':
          data.set(message.data, filled)
          filled += message.data.length
          if (filled < data.length) return undefined
          return shape ? { ...shape, data } : data
        case 'failed':
          return PipiloError.fromJSON(message.error)
        case 'memory':
          throw tooLarge(`${order.memory / 2 ** 20} MB of memory`)
        case 'broken':
          throw new Error(message.why)
      }
    }
    const reply = this.#attend(
      child,
      heed,
      { time, late: () => tooLarge(`${time / 1000} s`), signal },
      (why, cause) => {
        return new PipiloError(
          'IMAGE_INVALID',
          `${subject} that cannot be ${verb[1]}: its process ended: ${why}.`,
          {
            input: order.name,
            hint,
            cause,
          },
        )
      },
    )
    // An order that cannot be sent as the child has ended is told by its end.
    child.send(order, () => {})
    return reply
  }

  async #start(name: string, signal: AbortSignal | undefined): Promise<ChildProcess> {
    const kind = this.#kind
    const cannot = (why: string, cause?: unknown) =>
      new PipiloError(
        'RUNTIME',
        `${capital(name)} is ${kind.name} that is ${kind.verb[1]} in a process of its own: ${why}`,
        {
          input: name,
          hint: 'Convert it to PNG, or run Node with leave to start processes.',
          cause,
        },
      )
    let child: ChildProcess
    try {
      child = forkFile(import.meta.url, 'decodingChild')
    } catch (error) {
      const { message, hint = '' } = error as PipiloError
      throw cannot(message.replace(` ${hint}`, ''), error)
    }
    this.#lastWords = hearLastWords(child)
    child.on('error', () => {})
    child.on('close', () => {
      if (this.#child === child) this.#child = undefined
    })
    const late = () => cannot(`it was not ready after ${PATIENCE / 1000} s.`)
    const isReady = ({ kind }: FromDecodingChild) => kind === 'ready' || undefined
    await this.#attend(child, isReady, { time: PATIENCE, late, signal }, (why, cause) =>
      cannot(`it ended: ${why}.`, cause),
    )
    return child
  }

  /**
   * The first message that is taken for an answer. Where there is none in time, the caller gives up, or the child ends or breaks, the child is ended and that is the error.
   */
  #attend<T>(
    child: ChildProcess,
    heed: (message: FromDecodingChild) => T | undefined,
    { time, late, signal }: { time: number; late: () => PipiloError; signal: AbortSignal | undefined },
    dead: (why: string, cause?: unknown) => PipiloError,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer)
        stop()
        child.off('message', hear).off('close', close).off('error', fail)
      }
      const fail = (error: Error) => {
        settle()
        this.#end(child)
        reject(error instanceof PipiloError ? error : dead(error.message, error))
      }
      const hear = (message: unknown) => {
        try {
          const answer = heed(message as FromDecodingChild)
          if (answer === undefined) return
          settle()
          resolve(answer)
        } catch (error) {
          fail(error as Error)
        }
      }
      const close = (code: number | null, by: NodeJS.Signals | null) => {
        fail(dead(`${by ?? `exit code ${code}`}${this.#lastWords()}`))
      }
      const timer = setTimeout(() => fail(late()), time)
      const stop = onAbort(signal, () => fail(abortError(signal)))
      child.on('message', hear).on('close', close).on('error', fail)
      if (signal?.aborted) fail(abortError(signal))
    })
  }

  #end(child: ChildProcess): void {
    if (this.#child === child) this.#child = undefined
    child.kill('SIGKILL')
    keepAlive(child, 'unref')
  }
}

/** The one of this thread for SVGs. */
export const svgProcess = new DecodingProcess({
  name: 'an SVG',
  verb: ['draw', 'drawn'],
  hint: 'Convert it to PNG, or make it simpler: filters, masks and copies of copies take most.',
})

/** The one of this thread for JPEG 2000. */
export const jpeg2000Process = new DecodingProcess({
  name: 'a JPEG 2000 picture',
  verb: ['decode', 'decoded'],
  hint: 'Convert it to PNG, or make it smaller.',
})
