// The picture, stretched over a part of the window, over a pattern where it is transparent.
//   PATTERN: numbered as in app/render/passes/screen.py; with 0 the picture is opaque as it comes.
uniform sampler2D u_picture;  // premultiplied
uniform vec4 u_box;           // left, bottom, width, height: pixels
uniform vec3 u_background;    // the colour that the pattern is made of
uniform float u_square;       // of the checker: pixels
uniform float u_exposure;     // a factor

out vec4 o_color;

void main() {
    vec2 place = (gl_FragCoord.xy - u_box.xy) / u_box.zw;
    vec4 color = texture(u_picture, place);
#if PATTERN > 0
    vec3 behind = u_background;
#if PATTERN == 2
    ivec2 square = ivec2(floor((gl_FragCoord.xy - u_box.xy) / u_square));
    behind = mix(u_background, vec3(0.5), ((square.x + square.y) & 1) == 0 ? 0.1 : 0.3);
#elif PATTERN == 3
    behind = u_background * mix(0.35, 1.0, place.y);
#endif
    color.rgb = u_exposure * color.rgb + (1.0 - color.a) * behind;
#endif
    o_color = vec4(color.rgb, 1.0);
}
