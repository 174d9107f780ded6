// Routes of jobs.
import * as z from 'zod'
import { type Route, route } from '../http/route.ts'
import { jobEvents } from './events.ts'
import type { Jobs } from './jobs.ts'

const job = z.object({
  id: z.string(),
  kind: z.literal('index'),
  collection: z.string(),
  state: z.enum(['waiting', 'running', 'done', 'failed', 'cancelled']),
  progress: z.object({
    done: z.int(),
    total: z.int().optional(),
    indexed: z.int(),
    unchanged: z.int(),
    skipped: z.int(),
  }),
  created: z.string(),
  ended: z.string().optional(),
  report: z.unknown().optional(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
})

const usual = { dialect: 'pipilo', group: 'Jobs' } as const

/** Routes of jobs. */
export const jobRoutes = (jobs: Jobs): Route[] => [
  route({
    ...usual,
    method: 'get',
    path: '/v1/jobs',
    summary: 'Jobs, the newest first',
    answer: z.object({ jobs: z.array(job) }),
    run: () => ({ jobs: jobs.list() }),
  }),
  route({
    ...usual,
    method: 'get',
    path: '/v1/jobs/:id',
    summary: 'How far a job is',
    answer: job,
    run: ({ params }) => jobs.get(params['id']!),
  }),
  route({
    ...usual,
    method: 'get',
    path: '/v1/jobs/:id/events',
    summary: 'The same as server-sent events: progress, and a last one called end',
    content: 'text/event-stream',
    run: ({ params, signal }) => {
      jobs.get(params['id']!)
      return jobEvents(jobs, params['id']!, signal)
    },
  }),
  route({
    ...usual,
    method: 'delete',
    path: '/v1/jobs/:id',
    summary: 'Stops a job; what it has stored stays',
    answer: job,
    run: ({ params }) => jobs.cancel(params['id']!),
  }),
]
