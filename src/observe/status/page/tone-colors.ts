import { type Headline } from '../headline.ts'

/** Color of the tab icon, by tone. */
export const toneColors: Readonly<Record<Headline['tone'], string>> = {
  good: '1f9d57',
  busy: 'e09a1a',
  bad: 'd6312f',
}
