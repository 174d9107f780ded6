// OpenJPEG as pdfjs-dist has it, on a thread: it decodes without a pause, and its process has its memory to watch.
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { PipiloError } from '../../../base/index.ts'
import { optional } from '../../optional.ts'

/** The thread: a script of its own, so that no file has to be found in the built package. */
const program = `
const { parentPort, workerData } = require('node:worker_threads')
const { readFile } = require('node:fs/promises')
const { fileURLToPath } = require('node:url')
const loading = import(workerData.library).then(({ JpxImage, setVerbosityLevel, VerbosityLevel }) => {
  if (typeof JpxImage?.decode !== 'function' || !JpxImage.setOptions) return undefined
  setVerbosityLevel(VerbosityLevel.ERRORS)
  const wasmUrl = workerData.wasm
  const sendWithPromise = (_, { filename }) => readFile(fileURLToPath(wasmUrl + filename))
  JpxImage.setOptions({ useWasm: true, useWorkerFetch: false, wasmUrl, handler: { sendWithPromise } })
  return JpxImage
})
parentPort.on('message', async ({ bytes, numComponents, smaskInData }) => {
  try {
    const library = await loading
    if (!library) return parentPort.postMessage({ other: true })
    const data = await library.decode(bytes, { numComponents, smaskInData })
    if (!data) throw new Error('nothing came out of it')
    parentPort.postMessage({ data }, [data.buffer])
  } catch (error) {
    parentPort.postMessage({ error: String(error?.message ?? error) })
  }
})
`

type Answer = { readonly data?: Uint8ClampedArray; readonly error?: string; readonly other?: true }

let thread: Worker | undefined

/**
 * Samples of 8 bits, pixel after pixel. Others are scaled to 8; opacity of four channels is among them.
 *
 * @param components how many are given of each pixel; 0 for colours and opacity, whatever there is
 * @param hasOpacity the last of two components is opacity
 * @throws PipiloError `FORMAT_UNSUPPORTED` without the library; Error with what it says
 */
export async function openjpeg(
  bytes: Uint8Array,
  components: 0 | 1 | 2 | 3 | 4,
  hasOpacity: boolean,
): Promise<Uint8Array> {
  thread ??= await start()
  const worker = thread
  worker.ref()
  const answer = await new Promise<Answer>((resolve) => {
    const settle = (answer: Answer) => {
      worker.off('message', settle).off('error', fail).off('exit', end)
      resolve(answer)
    }
    const fail = (error: Error) => settle({ error: error.message })
    const end = () => settle({ error: 'its thread ended' })
    worker.on('message', settle).on('error', fail).on('exit', end)
    worker.postMessage({ bytes, numComponents: components, smaskInData: hasOpacity })
  })
  worker.unref()
  if (answer.data) return new Uint8Array(answer.data.buffer)
  // A failure may leave its memory in any state.
  thread = undefined
  await worker.terminate()
  if (answer.other)
    throw new PipiloError(
      'FORMAT_UNSUPPORTED',
      'JPEG 2000 pictures are read by pdfjs-dist 5, and another is installed.',
      { input: 'pdfjs-dist', hint: `npm install ${INSTALL}` },
    )
  throw new Error([...new Set((answer.error ?? '').trim().split(/\s*\n\s*/))].join('; '))
}

/** The last whose WebAssembly Node 20 compiles: without, the library decodes thirty times slower. */
const INSTALL = 'pdfjs-dist@5.6'

async function start(): Promise<Worker> {
  const path = await optional('pdfjs-dist', INSTALL, 'JPEG 2000 pictures', async () =>
    createRequire(import.meta.url).resolve('pdfjs-dist/package.json'),
  )
  const url = (...parts: string[]) => pathToFileURL(join(dirname(path), ...parts)).href
  const library = url('legacy', 'image_decoders', 'pdf.image_decoders.mjs')
  const worker = new Worker(program, {
    eval: true,
    execArgv: [],
    workerData: { library, wasm: `${url('wasm')}/` },
  })
  worker.unref()
  return worker
}
