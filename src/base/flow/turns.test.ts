import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Turns } from './turns.ts'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Turns whose tasks end when they are told to, and the names of those that have begun. */
function byHand(limit: number) {
  const turns = new Turns(limit)
  const begun: string[] = []
  const running: (() => void)[] = []
  const enter = (line: object, name: string, weight?: number) =>
    turns.enter(
      line,
      () => {
        begun.push(name)
        return new Promise<void>((resolve) => running.push(resolve))
      },
      weight,
    )
  const end = async () => {
    running.shift()!()
    await turn()
  }
  return { enter, end, begun, running }
}

describe('turns', () => {
  it('lets a newcomer wait for what runs, not for what is queued', async () => {
    const { enter, end, begun } = byHand(2)
    const [many, one] = [{}, {}]
    for (let i = 0; i < 10; i++) enter(many, `many ${i}`)
    enter(one, 'one')
    await end()
    expect(begun).toEqual(['many 0', 'many 1', 'one'])
  })

  it('gives a newcomer the next place, however many turns others had before', async () => {
    for (const before of [1, 2, 3]) {
      const { enter, end, begun } = byHand(1)
      const many = {}
      for (let i = 0; i < 9; i++) enter(many, 'many')
      enter({}, 'earlier')
      for (let i = 0; i < before; i++) await end()
      enter({}, 'new')
      if (begun.at(-1) === 'earlier') await end()
      await end()
      expect(begun.at(-1)).toBe('new')
    }
  })

  it('keeps nobody waiting behind newcomers: every other turn is for those who have had one', async () => {
    const { enter, end, begun } = byHand(1)
    const many = {}
    for (let i = 0; i < 4; i++) enter(many, `many ${i}`)
    for (let i = 0; i < 6; i++) enter({}, `new ${i}`)
    for (let i = 0; i < 6; i++) await end()
    expect(begun).toEqual(['many 0', 'new 0', 'many 1', 'new 1', 'many 2', 'new 2', 'many 3'])
  })

  it('gives a line whose tasks weigh more fewer of them', async () => {
    const { enter, end, begun } = byHand(1)
    const [heavy, light] = [{}, {}]
    for (let i = 0; i < 3; i++) enter(heavy, 'heavy', 4)
    for (let i = 0; i < 12; i++) enter(light, 'light', 1)
    for (let i = 0; i < 9; i++) await end()
    expect(begun.slice(0, 10).filter((name) => name === 'heavy')).toHaveLength(2)
  })

  it('forgets who leaves, and frees the place of who fails', async () => {
    const turns = new Turns(1)
    const stop = new AbortController()
    let release = () => {}
    const first = turns.run(() => new Promise<void>((resolve) => (release = resolve)))
    const left = turns.run(async () => 'never', { signal: stop.signal })
    const failing = turns.run(() => {
      throw new Error('broken')
    })
    const last = turns.run(async () => 'last')
    stop.abort('enough')
    await expect(left).rejects.toMatchObject({ code: 'ABORTED', cause: 'enough' })
    release()
    await first
    await expect(failing).rejects.toThrow('broken')
    expect(await last).toBe('last')
    await expect(turns.run(async () => 1, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ABORTED',
    })
  })

  it('whatever comes and goes: no more than the limit, each line in order, each task once, turns shared', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ line: fc.nat(4), weight: fc.integer({ min: 1, max: 5 }) }) },
      { weight: 3, arbitrary: fc.constant('end' as const) },
      { weight: 1, arbitrary: fc.record({ leave: fc.nat(50) }) },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.array(step, { maxLength: 60 }),
        async (limit, steps) => {
          const { enter, end, begun, running } = byHand(limit)
          const lines = Array.from({ length: 5 }, () => ({}))
          const entered: { name: string; line: number; leave: () => boolean }[] = []
          const gone = new Set<string>()
          const had = new Set<number>()
          for (const step of steps) {
            if (step === 'end') {
              if (running.length > 0) await end()
            } else if ('leave' in step) {
              const found = entered[step.leave]
              if (found && !gone.has(found.name) && found.leave()) gone.add(found.name)
            } else {
              const name = `${entered.length}`
              entered.push({
                name,
                line: step.line,
                leave: enter(lines[step.line]!, name, step.weight),
              })
            }
            expect(running.length).toBeLessThanOrEqual(limit)
            const waiting = entered.filter(({ name }) => !begun.includes(name) && !gone.has(name))
            if (waiting.length > 0) expect(running.length).toBe(limit)
            for (const name of begun) had.add(entered[Number(name)]!.line)
          }
          // From here on: who has had nothing begins within two turns for each newcomer.
          const fresh = new Set(
            entered
              .filter(({ name, line }) => !begun.includes(name) && !gone.has(name) && !had.has(line))
              .map(({ line }) => line),
          )
          const before = begun.length
          while (running.length > 0) await end()
          const after = begun.slice(before).map((name) => entered[Number(name)]!.line)
          for (const line of fresh) expect(after.indexOf(line)).toBeLessThan(2 * fresh.size)
          const expected = entered.map(({ name }) => name).filter((name) => !gone.has(name))
          expect([...begun].sort()).toEqual(expected.sort())
          for (const line of lines.keys()) {
            const own = begun.filter((name) => entered[Number(name)]!.line === line).map(Number)
            expect(own).toEqual([...own].sort((a, b) => a - b))
          }
        },
      ),
    )
  })
})
