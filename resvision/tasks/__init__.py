"""What a task answers with torch: the half of it that runs, evaluations, predictions and explanations ask.

task                its answers, and the task of a name
trained_model       a trained system, which it is asked about
evaluation_options  how it is evaluated
seen_samples        what its nets see in prediction
explained_scores    what an explanation asks and is answered
image_tensors       pixels to tensors, and tensors to pictures
"""

from resvision.tasks.evaluation_options import Described as Described
from resvision.tasks.evaluation_options import How as How
from resvision.tasks.evaluation_options import unwatched as unwatched
from resvision.tasks.explained_scores import ExplainedScore as ExplainedScore
from resvision.tasks.explained_scores import Question as Question
from resvision.tasks.image_tensors import images_of as images_of
from resvision.tasks.image_tensors import pictures_of as pictures_of
from resvision.tasks.seen_samples import SampleFile as SampleFile
from resvision.tasks.seen_samples import Seen as Seen
from resvision.tasks.task import Task as Task
from resvision.tasks.task import task_of as task_of
from resvision.tasks.trained_model import Model as Model
from resvision.tasks.trained_model import Trained as Trained
