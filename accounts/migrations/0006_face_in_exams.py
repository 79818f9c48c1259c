"""The second version of the text on faces, which says that they are compared during exams; the first does not cover it."""

from django.db import migrations, models

FACE = """\
If you agree, you can sign in with your face instead of your password, and in exams that ask for it a computer checks \
from time to time that it is you who sits there. Nobody has to agree: the password stays, signing in with it is always \
enough, and without this consent your face is compared in no exam.

What is recorded. From pictures that you give, a computer works out a list of numbers that describes your face. Only \
these numbers are stored, encrypted, with the date and with notes on how clear the pictures were. The pictures themselves \
are not kept. When you sign in by face, new pictures are compared with the numbers and are not kept either. The time, the \
network address and the result of each attempt are written down.

During an exam. In exams that ask for it, pictures from your camera are compared with the numbers: at the beginning, \
every now and then, and after your face was out of view. What is kept of each comparison is how much the face in the \
picture differs from yours, as a single number. If several pictures show a face that does not look like yours, this is \
noted together with one of these pictures, and a person looks at it and decides. The computer decides nothing.

Why. To check that it is you who signs in and, in exams that ask for it, that it is you who sits the exam.

For how long. The numbers that describe your face are kept until you remove your face or withdraw this consent; otherwise \
as long as your institution's rules say. The record of attempts, and what was noted during an exam, are kept as long as \
these rules say.

Who sees it. Nobody is shown the numbers that describe your face. The administrators of this system at your institution \
see that a face is stored, and the record of attempts. The reviewers and teachers of your exam see what was noted during \
it.

Your rights. You can remove your face or withdraw at any time, also during an exam; the numbers are then deleted at once, \
your face is compared no more, and you sign in with your password as before. What was noted during an exam before that \
stays under your institution's rules. You can ask your institution what it holds about you, and ask it to correct or \
delete it."""

FACE_BN = """\
আপনি সম্মতি দিলে পাসওয়ার্ডের বদলে মুখ দেখিয়ে সাইন ইন করতে পারবেন, এবং যেসব পরীক্ষায় প্রয়োজন সেখানে আপনিই পরীক্ষা \
দিচ্ছেন কি না, কম্পিউটার তা মাঝে মাঝে যাচাই করবে। সম্মতি দেওয়া বাধ্যতামূলক নয়: পাসওয়ার্ড আগের মতোই থাকবে, পাসওয়ার্ড \
দিয়ে সাইন ইন করাই সব সময় যথেষ্ট, এবং এই সম্মতি ছাড়া কোনো পরীক্ষাতেই আপনার মুখ মিলিয়ে দেখা হয় না।

কী রেকর্ড করা হয়। আপনার দেওয়া ছবি থেকে কম্পিউটার কিছু সংখ্যার একটি তালিকা তৈরি করে, যা আপনার মুখের বর্ণনা দেয়। শুধু \
এই সংখ্যাগুলো এনক্রিপ্ট করে রাখা হয়, সঙ্গে থাকে তারিখ এবং ছবিগুলো কতটা স্পষ্ট ছিল সেই তথ্য। ছবিগুলো রেখে দেওয়া হয় \
না। মুখ দেখিয়ে সাইন ইন করার সময় নতুন ছবি এই সংখ্যাগুলোর সঙ্গে মিলিয়ে দেখা হয়; সেই ছবিও রেখে দেওয়া হয় না। প্রতিটি \
চেষ্টার সময়, নেটওয়ার্ক ঠিকানা ও ফল লিখে রাখা হয়।

পরীক্ষা চলাকালে। যেসব পরীক্ষায় প্রয়োজন সেখানে আপনার ক্যামেরার ছবি এই সংখ্যাগুলোর সঙ্গে মিলিয়ে দেখা হয়: শুরুতে, মাঝে \
মাঝে, এবং আপনার মুখ কিছুক্ষণ দেখা না যাওয়ার পর। প্রতিবার মিলিয়ে দেখার পর শুধু একটি সংখ্যা রাখা হয়: ছবির মুখটি আপনার \
মুখ থেকে কতটা আলাদা। একাধিক ছবিতে এমন মুখ দেখা গেলে যা আপনার মুখের মতো নয়, সেই ছবিগুলোর একটিসহ তা লিখে রাখা হয়, এবং \
একজন মানুষ তা দেখে সিদ্ধান্ত নেন। কম্পিউটার কোনো সিদ্ধান্ত নেয় না।

কেন। আপনিই যে সাইন ইন করছেন তা যাচাই করতে, এবং যেসব পরীক্ষায় প্রয়োজন সেখানে আপনিই যে পরীক্ষা দিচ্ছেন তা যাচাই করতে।

কতদিন। আপনার মুখের বর্ণনা দেওয়া সংখ্যাগুলো রাখা হয় যতদিন না আপনি আপনার মুখের তথ্য মুছে ফেলেন বা এই সম্মতি প্রত্যাহার \
করেন; তা না হলে আপনার প্রতিষ্ঠানের নিয়মে যতদিন বলা আছে, ততদিন। চেষ্টার রেকর্ড এবং পরীক্ষা চলাকালে যা লিখে রাখা হয়েছে, \
তা-ও সেই নিয়মে বলা সময় পর্যন্ত রাখা হয়।

কারা দেখতে পান। আপনার মুখের বর্ণনা দেওয়া সংখ্যাগুলো কাউকে দেখানো হয় না। আপনার মুখের তথ্য যে রাখা আছে তা এবং চেষ্টার \
রেকর্ড আপনার প্রতিষ্ঠানে এই সিস্টেমের প্রশাসকেরা দেখতে পান। পরীক্ষা চলাকালে যা লিখে রাখা হয়েছে, তা আপনার পরীক্ষার \
পর্যালোচক ও শিক্ষকেরা দেখতে পান।

আপনার অধিকার। যেকোনো সময়, পরীক্ষা চলাকালেও, আপনার মুখের তথ্য মুছে ফেলতে বা সম্মতি প্রত্যাহার করতে পারেন; সংখ্যাগুলো \
তখনই মুছে ফেলা হয়, আপনার মুখ আর মিলিয়ে দেখা হয় না, আর আপনি আগের মতো পাসওয়ার্ড দিয়ে সাইন ইন করেন। তার আগে পরীক্ষা \
চলাকালে যা লিখে রাখা হয়েছে, তা আপনার প্রতিষ্ঠানের নিয়ম অনুযায়ী থাকবে। আপনার সম্পর্কে কী রাখা আছে, আপনার প্রতিষ্ঠানের \
কাছে তা জানতে চাইতে পারেন এবং তা সংশোধন করতে বা মুছে ফেলতে অনুরোধ করতে পারেন।"""

TITLE, TITLE_BN = "Being recognised by your face", "মুখ দেখে আপনাকে শনাক্ত করা"


def publish(apps, schema_editor):
    """Publish the second version, unless the institution has a later text of its own, which then is the one that counts.

    Going back leaves it, since people may have agreed to it; coming again finds it.
    """
    ConsentText = apps.get_model("accounts", "ConsentText")
    texts = ConsentText.objects.filter(purpose="face")
    if texts.filter(version=1).exists() and not texts.filter(version__gt=1).exists():
        values = {"title": TITLE, "text": FACE, "title_bn": TITLE_BN, "text_bn": FACE_BN}
        ConsentText.objects.create(purpose="face", version=2, **values)
    texts.filter(text=FACE).update(in_exams=True)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_addresses_in_small_letters")]
    operations = [
        migrations.AddField(
            model_name="consenttext",
            name="in_exams",
            field=models.BooleanField(
                default=False,
                help_text="Recognition by face only. Without it the face is used for signing in and compared in no exam.",
                verbose_name="says that the face is compared during exams",
            ),
        ),
        migrations.RunPython(publish, migrations.RunPython.noop),
    ]
