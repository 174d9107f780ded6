// The entry of a child process: hands what it is sent to a worker thread of its own, so that it notices at any time when its parent is gone.
import { serveParent, watchMemory } from '../../base/files/index.ts'
import { movable, type Request } from './protocol.ts'
import { Thread, ThreadEnded } from './thread.ts'

serveParent('child.ts')

const thread = new Thread()

let isBound = false

/** Ends this process once it takes more bytes. */
function bound(memory: number): void {
  if (isBound) return
  isBound = true
  watchMemory(memory, () => {
    const why = `it took more than ${(memory / 1e6).toLocaleString('en', { maximumFractionDigits: 0 })} MB of memory`
    // Were the parent too busy to hear it, the memory would fill meanwhile.
    process.send?.({ kind: 'ended', why }, () => process.kill(process.pid, 'SIGKILL'))
  })
}

process.on('message', async (request: Request) => {
  if (request.kind === 'close') {
    await thread.close()
    process.exit()
  }
  if (request.kind === 'open' && request.plan.isolate) bound(request.plan.isolate)
  try {
    const feeds = 'feeds' in request ? movable(request.feeds) : undefined
    const reply = await thread.request(
      feeds ? ({ ...request, feeds: feeds.tensors } as Request) : request,
      feeds?.moved,
    )
    process.send?.(reply)
  } catch (error) {
    const why = error instanceof ThreadEnded ? `its thread ended: ${error.message}` : String(error)
    process.send?.({ kind: 'ended', why })
  }
})
