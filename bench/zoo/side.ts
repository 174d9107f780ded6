// Processes of the two sides of the zoo benchmark, which answer lines of JSON and keep their model between them.
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** Work of a side: a model and its inputs. */
export interface Work {
  readonly name: string
  /** Unit of `count`, where the kind does not say it. */
  readonly what?: string
  readonly kind: 'text' | 'picture' | 'file'
  readonly folder: string
  /** Name of the checkpoint in the folder. */
  readonly weights: string
  /** For text. */
  readonly texts?: readonly string[]
  readonly maxLength?: number
  /** For pictures: normalised float32, [count, 3, 224, 224]. */
  readonly file?: string
  /** JPEG files. */
  readonly files?: readonly string[]
  readonly count: number
}

/** Settings of a side, such as threads. */
export type Way = Readonly<Record<string, number | string>>

export interface Run {
  readonly milliseconds: number
  readonly vectors?: number[][]
}

/** A process that answers each line of JSON with one; it keeps its model between two questions, and does nothing then. */
export class Side {
  readonly #process: ChildProcess
  readonly #waiting: { resolve(answer: string): void; reject(error: Error): void }[] = []

  constructor(
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string | undefined>> = {},
  ) {
    this.#process = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    })
    createInterface({ input: this.#process.stdout! }).on('line', (line) => {
      if (line.startsWith('{')) this.#waiting.shift()?.resolve(line)
    })
    this.#process.on('close', () => {
      for (const { reject } of this.#waiting.splice(0))
        reject(new Error(`${command} ${args.join(' ')} has ended.`))
    })
  }

  async #ask<Answer>(question: object): Promise<Answer> {
    const answer = new Promise<string>((resolve, reject) => this.#waiting.push({ resolve, reject }))
    this.#process.stdin!.write(`${JSON.stringify(question)}\n`)
    const parsed = JSON.parse(await answer) as Answer & { error?: string }
    if (parsed.error !== undefined) throw new Error(parsed.error)
    return parsed
  }

  open(work: Work, options: object = {}): Promise<object> {
    return this.#ask({ do: 'open', ...work, ...options })
  }

  run(way: Way, vectors = false): Promise<Run> {
    return this.#ask({ do: 'run', ...way, vectors })
  }

  close(): Promise<object> {
    return this.#ask({ do: 'close' })
  }

  end(): void {
    this.#process.stdin!.end()
  }
}

/** Answers the questions of a {@link Side} on standard input. */
export async function serve(
  commands: Readonly<Record<string, (question: never) => Promise<object>>>,
): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: command, ...question } = JSON.parse(line) as { do: string }
    const answer = await commands[command]!(question as never).catch((error: Error) => ({
      error: String(error.stack),
    }))
    console.log(JSON.stringify(answer))
  }
}
