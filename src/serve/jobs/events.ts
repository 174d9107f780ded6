// Server-sent events of a job: its state whenever it has changed, and its end.
import type { JobState, Jobs } from './jobs.ts'

/** Milliseconds between signs of life, and between two states at least. */
const BEAT = 15_000
const STEP = 100

/**
 * The events of a job: `progress` with its state, and a last one called `end`. Who reads slowly gets fewer of them, never old ones.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export function jobEvents(jobs: Jobs, id: string, signal: AbortSignal): Response {
  const encoder = new TextEncoder()
  let stop = () => {}
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      let sent: JobState | undefined
      let timer: NodeJS.Timeout | undefined
      const write = (text: string) => controller.enqueue(encoder.encode(text))
      let closed = false
      const tell = () => {
        clearTimeout(timer)
        timer = undefined
        if (closed) return
        const state = jobs.get(id)
        const isOver = state.ended !== undefined
        if (!isOver && (state === sent || (controller.desiredSize ?? 0) <= 0)) return
        sent = state
        write(`event: ${isOver ? 'end' : 'progress'}\ndata: ${JSON.stringify(state)}\n\n`)
        if (!isOver) return
        stop()
        controller.close()
      }
      const beat = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) write(': still there\n\n')
        tell()
      }, BEAT)
      const unfollow = jobs.follow(id, () => {
        timer ??= setTimeout(tell, STEP)
      })
      const gone = () => {
        stop()
        // The reader may have closed it before.
        try {
          controller.close()
        } catch {}
      }
      stop = () => {
        closed = true
        clearInterval(beat)
        clearTimeout(timer)
        unfollow()
        signal.removeEventListener('abort', gone)
      }
      signal.addEventListener('abort', gone, { once: true })
      tell()
    },
    cancel: () => stop(),
  })
  return new Response(body, {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
  })
}
