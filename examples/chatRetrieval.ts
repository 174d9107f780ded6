/**
 * A chat's retrieval step with the Vercel AI SDK: the model asks for passages with a tool, and answers from them. Any model of
 * the SDK will do; run as it stands, this asks one behind the SDK's own gateway (https://ai-gateway.vercel.sh), which needs a key
 * and is sent the question and the passages that are found for it.
 *
 *     AI_GATEWAY_API_KEY=… MODEL=provider/name npx tsx chatRetrieval.ts 'Why does my stream stop?'      # in examples/, after npm ci
 */
import { pathToFileURL } from 'node:url'
import { generateText, type LanguageModel, stepCountIs, tool } from 'ai'
import { z } from 'zod'
import { type Answer, answers, documents } from './questionAnswering.ts'

const system =
  'Answer from the passages that the tool search finds, and name their places in brackets. Say so where they do not answer.'

/** One turn of a chat over documents: the answer, and the passages that the model saw. */
export async function chat(
  model: LanguageModel,
  question: string,
  ask: (question: string) => Promise<Answer[]>,
): Promise<{ text: string; passages: Answer[] }> {
  const passages: Answer[] = []
  const search = tool({
    description: 'Finds passages of the documentation by their meaning.',
    inputSchema: z.object({ query: z.string().describe('a question or a few words') }),
    async execute({ query }) {
      const found = await ask(query)
      passages.push(...found)
      return found.map(({ place, text }) => ({ place, text }))
    },
  })
  const { text } = await generateText({
    model,
    system,
    prompt: question,
    tools: { search },
    // A search or two, then the answer.
    stopWhen: stepCountIs(4),
  })
  return { text, passages }
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  const [question = 'Why does my stream stop after the deployment?'] = process.argv.slice(2)
  if (!process.env.AI_GATEWAY_API_KEY) {
    console.error("The model is behind the AI SDK's gateway: set AI_GATEWAY_API_KEY to a key of it.")
    process.exit(1)
  }
  const { ask, close } = await answers(documents)
  try {
    const { text, passages } = await chat(process.env.MODEL ?? 'openai/gpt-5-mini', question, ask)
    console.log(`${text}\n\nRead: ${passages.map(({ place }) => place).join(', ')}`)
  } catch (error) {
    console.error(`The model gave no answer: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
  } finally {
    await close()
  }
}
