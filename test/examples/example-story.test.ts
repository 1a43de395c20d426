import { expect, test } from 'vitest'
import { ExampleError, tellExample } from '../../examples/demo/example-story.ts'
import { Screen } from '../../examples/demo/screen.ts'

function collectingScreen() {
  let text = ''
  return { screen: new Screen({ write: (written: string) => (text += written) }), text: () => text }
}

test('the demo of an example shows what its target holds in the end', async () => {
  const { screen, text } = collectingScreen()
  expect(await tellExample('siem', screen, AbortSignal.timeout(60_000), 1000)).toBe(true)
  expect(text()).toMatch(/dead letters +0\n +in flight +0\n/)
  expect(text()).toMatch(/What a small SIEM holds: \d{2,}\n {2}[0-9a-f-]{36} {2}\{"id":"[a-z-]+--/)
}, 90_000)

test('the demo of an example that does not exist says so', async () => {
  const { screen } = collectingScreen()
  const story = tellExample('../siem', screen, AbortSignal.timeout(10_000))
  await expect(story).rejects.toThrow(ExampleError)
})
